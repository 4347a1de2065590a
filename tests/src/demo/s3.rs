//! The chapters about buckets.

use super::script::{Chapter, Step};

/// What someone who needs a bucket sees. The service is moto, on this machine.
pub const CHAPTERS: &[Chapter] = &[
    Chapter {
        title: "S3: a bucket as it is written down",
        steps: &[
            Step::well(
                "An account at a provider (moto, on this machine), its access key in a Secret:",
                "kubectl create secret generic wasabi --from-literal=access-key=$AWS_ACCESS_KEY_ID --from-literal=secret-key=$AWS_SECRET_ACCESS_KEY && \\\n  \
                 sed -E 's#https://(s3|iam)[a-z0-9.-]+wasabisys.com#{store}#' examples/s3/1-provider.yaml | kubectl apply -f - && \\\n  \
                 kubectl wait s3prov wasabi --for=condition=Ready --timeout=20s",
                &["secret/wasabi created", "provider.s3.cloud37.dev/wasabi created", "wasabi condition met"],
            ),
            Step::well(
                "The provider has said whose the key is; rules of policies rest on that:",
                "kubectl get s3prov wasabi -o jsonpath='{.status.accountId} {.status.callerArn}'",
                &["123456789012 arn:aws:iam::123456789012:user/concierge"],
            ),
            Step::well(
                "A bucket that keeps old versions for a month. It is marked as ours; somebody else's of this name would be left alone:",
                "kubectl apply -f examples/s3/2-bucket.yaml && \\\n  \
                 kubectl wait s3bkt photos --for=condition=Ready --timeout=20s && kubectl get s3bkt",
                &[
                    "bucket.s3.cloud37.dev/photos created",
                    "photos condition met",
                    "concierge-demo-photos",
                    "True",
                ],
            ),
        ],
    },
    Chapter {
        title: "S3: a bucket for a program, with the key to it",
        steps: &[
            Step::well(
                "A bucket with a user of its own: one object is applied, and the user, its access key and the bucket's policy follow:",
                "kubectl apply -f examples/s3/6-bucket-with-user.yaml && \\\n  \
                 kubectl wait s3bkt uploads --for=condition=ChildrenReady --timeout=30s && \\\n  \
                 kubectl get s3bkt,s3user,s3key,s3policy",
                &[
                    "uploads condition met",
                    "bucket.s3.cloud37.dev/uploads",
                    "user.s3.cloud37.dev/uploads-user",
                    "accesskey.s3.cloud37.dev/uploads-accesskey",
                    "bucketpolicy.s3.cloud37.dev/uploads-policy",
                ],
            ),
            Step::well(
                "A program needs nothing but the Secret. It writes and reads its own bucket, and no other one:",
                "of() { kubectl get secret uploads-accesskey-credentials -o jsonpath=\"{.data.$1}\" | base64 -d; }\n  \
                 AWS_ACCESS_KEY_ID=$(of access-key-id) AWS_SECRET_ACCESS_KEY=$(of secret-access-key) \\\n  \
                 python3 examples/s3/client.py concierge-demo-uploads concierge-demo-photos",
                &[
                    "concierge-demo-uploads/hello.txt: Hello from a program.",
                    "concierge-demo-photos: AccessDenied",
                ],
            ),
        ],
    },
    Chapter {
        title: "S3: a policy that lets everybody in gets no further than the door",
        steps: &[
            Step::refused(
                "A wrong policy is a data leak. This one says `Principal: \"*\"`:",
                "kubectl apply -f examples/refused/s3/policy.yaml",
                &[
                    "lets everybody in",
                    "spec.policy.statement[0].principal",
                    "publicAccess.blockPublicPolicy",
                ],
            ),
            Step::refused(
                "One that denies whoever comes without TLS would shut Concierge out of this store, which it calls without:",
                "kubectl apply -f examples/s3/3-policy.yaml",
                &["denies s3:GetBucketPolicy to Concierge", "spec.policy.statement[1]"],
            ),
            Step::well(
                "Without that statement, one that names who may read:",
                "sed '/sid: OnlyTls/,$d' examples/s3/3-policy.yaml | kubectl apply -f - && \\\n  \
                 kubectl wait s3policy photos-readers --for=condition=Ready --timeout=20s",
                &["bucketpolicy.s3.cloud37.dev/photos-readers created", "photos-readers condition met"],
            ),
            Step::refused(
                "Nothing is pulled away from under others:",
                "kubectl delete s3prov wasabi",
                &["photos"],
            ),
        ],
    },
];
