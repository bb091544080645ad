{% set home = "ephemeral-hdfs" -%}
{% set data_folders = hdfs_data_dirs -%}
{% include "parts/hadoop-env.sh" -%}
