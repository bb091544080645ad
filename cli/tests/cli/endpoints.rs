//! Where a run of EC2's began is where it stays: an endpoint that the environment names later is never asked.

use std::net::TcpListener;

use serde_json::json;

use crate::support::{Bench, FIRST, said};

/// With an account on record, and every service of AWS' named by the environment to be here.
#[test]
fn a_run_of_aws_own_endpoint_goes_nowhere_else_later() {
    for ec2 in [
        json!({"region": "us-east-1", "account": "123456789012", "endpoint_url": "aws", "sts_endpoint_url": "aws"}),
        // As an older program froze it.
        json!({"region": "us-east-1", "account": "123456789012"}),
    ] {
        let bench = Bench::new();
        let journal = bench.journal();
        let spec = json!({"cluster": "demo", "provider": "ec2", "ec2": ec2});
        let run = bench.begin_with(&journal, FIRST, "demo", "ec2", spec);
        bench.drive(&run, 1);
        drop((run, journal));
        let before = bench.events(FIRST);

        let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
        elsewhere.set_nonblocking(true).unwrap();
        let endpoint = format!("http://{}", elsewhere.local_addr().unwrap());
        for words in [
            &["destroy", FIRST, "--yes"][..],
            &["resume", FIRST],
            &["replay", FIRST, "--from", "render-config", "--yes"],
        ] {
            let mut command = bench.command(words);
            for service in ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_EC2", "AWS_ENDPOINT_URL_STS"] {
                command.env(service, &endpoint);
            }
            // AWS is either out of reach, or does not know these.
            command
                .env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
                .env(
                    "AWS_SECRET_ACCESS_KEY",
                    "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                )
                .env("AWS_CONFIG_FILE", "/nowhere")
                .env("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
                // Whatever answers there is not AWS.
                .env("HTTPS_PROXY", "http://127.0.0.1:9")
                .env_remove("AWS_SESSION_TOKEN");
            said(command.output().unwrap()).refused(
                3,
                &[
                    "cannot be verified",
                    "account 123456789012",
                    "then do the same again",
                ],
            );
            let asked = elsewhere.accept();
            assert!(asked.is_err(), "{words:?} of {ec2} went to {endpoint}");
        }
        assert_eq!(
            bench.events(FIRST),
            before,
            "refused before anything was recorded"
        );
    }
}
