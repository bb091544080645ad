# Prints Spark's version, exit 1 where there is none. It is that of its jar, which takes no JVM to read: `framework-config` starts
# it anyway.
jar=$(find -L /root/spark/jars -name 'spark-core_*.jar' 2>/dev/null | sort | head -n 1)
[ -n "$jar" ] || exit 1
jar=${jar##*/}
jar=${jar%.jar}
echo "${jar##*-}"
