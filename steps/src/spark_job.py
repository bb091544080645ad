"""A shuffle whose outcome is written to each of the folders that are named, read from there, and removed.

Exit status 3: nothing of it ran anywhere for MESOSFLOW_OFFER_LIMIT seconds, where that is set."""
import os
import sys
import threading

from pyspark import SparkContext

sc = SparkContext(appName="mesosflow-check")
begun = threading.Event()


def leave_a_busy_cluster(seconds):
    waited = 0
    while waited < seconds and not begun.wait(1):
        stages = [sc.statusTracker().getStageInfo(stage) for stage in sc.statusTracker().getActiveStageIds()]
        if any(stage and (stage.numActiveTasks or stage.numCompletedTasks) for stage in stages):
            return
        waited += bool(stages)
    if not begun.is_set():
        os._exit(3)


if "MESOSFLOW_OFFER_LIMIT" in os.environ:
    limit = int(os.environ["MESOSFLOW_OFFER_LIMIT"])
    threading.Thread(target=leave_a_busy_cluster, args=[limit], daemon=True).start()
sums = sc.parallelize(range(1000), 4).map(lambda n: (n % 7, n)).reduceByKey(lambda a, b: a + b)
expected = sorted(repr(pair) for pair in sums.collect())
begun.set()
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
