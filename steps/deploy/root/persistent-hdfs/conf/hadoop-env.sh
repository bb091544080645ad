{% set home = "persistent-hdfs" -%}
{% set data_folders = "/vol/persistent-hdfs/data" -%}
{% include "parts/hadoop-env.sh" -%}
