"""A shuffle, and a file that is written and read: what Spark cannot do on a Java that it was not made for."""
import sys

from pyspark import SparkContext

sc = SparkContext(appName="mesosflow-proof")
counts = dict(sc.parallelize(range(1000), 4).map(lambda n: (n % 7, 1)).reduceByKey(lambda a, b: a + b).collect())
assert sorted(counts) == list(range(7)) and sum(counts.values()) == 1000, counts
sc.parallelize(sorted(counts.items()), 2).saveAsTextFile(sys.argv[1] + "/counts")
assert sc.textFile(sys.argv[1] + "/counts").count() == 7
sc.stop()
