"""A shuffle whose outcome is written to each of the folders that are named, read from there, and removed."""
import sys

from pyspark import SparkContext

sc = SparkContext(appName="mesosflow-check")
sums = sc.parallelize(range(1000), 4).map(lambda n: (n % 7, n)).reduceByKey(lambda a, b: a + b)
expected = sorted(repr(pair) for pair in sums.collect())
assert len(expected) == 7, expected
for name in sys.argv[1:]:
    path = sc._jvm.org.apache.hadoop.fs.Path(name)
    try:
        sums.map(repr).saveAsTextFile(name)
        found = sorted(sc.textFile(name).collect())
        assert found == expected, (name, found)
    finally:
        path.getFileSystem(sc._jsc.hadoopConfiguration()).delete(path, True)
sc.stop()
