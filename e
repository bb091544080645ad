19:41:57 run 01m8a3mjz8k9eh4hwqszyt5qyg taken over by pid 843 on vm to bring the cluster up
19:41:58 mesos-start started
19:41:58 mesos-start succeeded in 0.7 s (applied)
19:41:58 cluster-health started
19:42:01 cluster-health succeeded in 2.3 s (applied)
19:42:01 report started
19:42:01 report succeeded in 0.0 s (applied)
19:42:01 run succeeded
