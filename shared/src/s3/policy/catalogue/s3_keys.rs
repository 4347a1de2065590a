//! The keys of S3.

use super::keys::{Key, KeyKind, multi, single, tagged};

pub(in crate::s3::policy) const S3_KEYS: &[Key] = &[
    single("s3:AccessGrantScope", KeyKind::Text, "CreateAccessGrant DeleteAccessGrant GetAccessGrant"),
    single(
        "s3:AccessGrantsInstanceArn",
        KeyKind::Arn,
        "AbortMultipartUpload DeleteObject DeleteObjectVersion GetObject GetObjectAcl \
         GetObjectVersion GetObjectVersionAcl ListBucket ListBucketMultipartUploads \
         ListBucketVersions ListMultipartUploadParts PutObject PutObjectAcl PutObjectVersionAcl",
    ),
    single(
        "s3:AccessGrantsLocationScope",
        KeyKind::Text,
        "CreateAccessGrantsLocation DeleteAccessGrantsLocation GetAccessGrantsLocation \
         UpdateAccessGrantsLocation",
    ),
    single("s3:AccessPointNetworkOrigin", KeyKind::Text, ""),
    tagged("s3:AccessPointTag", KeyKind::Text, ""),
    single("s3:annotation-prefix", KeyKind::Text, "ListObjectAnnotations ListObjectVersionAnnotations"),
    single("s3:authType", KeyKind::Text, ""),
    tagged("s3:BucketTag", KeyKind::Text, ""),
    single("s3:DataAccessPointAccount", KeyKind::Text, ""),
    single("s3:DataAccessPointArn", KeyKind::Arn, ""),
    single("s3:delimiter", KeyKind::Text, "ListBucket ListBucketVersions"),
    single("s3:deliverySourceArn", KeyKind::Arn, "AllowVendedLogDeliveryForResource"),
    single("s3:destinationRegion", KeyKind::Text, "PauseReplication"),
    single(
        "s3:ExistingJobOperation",
        KeyKind::Text,
        "DeleteJobTagging PutJobTagging UpdateJobPriority UpdateJobStatus",
    ),
    single(
        "s3:ExistingJobPriority",
        KeyKind::Numeric,
        "DeleteJobTagging PutJobTagging UpdateJobPriority UpdateJobStatus",
    ),
    tagged(
        "s3:ExistingObjectTag",
        KeyKind::Text,
        "DeleteObjectAnnotation DeleteObjectTagging DeleteObjectVersionAnnotation \
         DeleteObjectVersionTagging GetObject GetObjectAcl GetObjectAnnotation GetObjectAttributes \
         GetObjectTagging GetObjectVersion GetObjectVersionAcl GetObjectVersionAnnotation \
         GetObjectVersionAttributes GetObjectVersionTagging ListObjectAnnotations \
         ListObjectVersionAnnotations PutObjectAcl PutObjectAnnotation PutObjectTagging \
         PutObjectVersionAcl PutObjectVersionAnnotation PutObjectVersionTagging \
         UpdateObjectEncryption",
    ),
    single("s3:if-match", KeyKind::Text, "DeleteObject PutObject"),
    single("s3:if-none-match", KeyKind::Text, "PutObject"),
    single("s3:InventoryAccessibleOptionalFields", KeyKind::Text, "PutInventoryConfiguration"),
    single("s3:isReplicationPauseRequest", KeyKind::Bool, "PutReplicationConfiguration"),
    single("s3:JobSuspendedCause", KeyKind::Text, "UpdateJobStatus"),
    single("s3:locationconstraint", KeyKind::Text, "CreateAccessPoint CreateBucket"),
    single("s3:logType", KeyKind::Text, "AllowVendedLogDeliveryForResource"),
    single(
        "s3:max-annotation-results",
        KeyKind::Numeric,
        "ListObjectAnnotations ListObjectVersionAnnotations",
    ),
    single("s3:max-keys", KeyKind::Numeric, "ListBucket ListBucketVersions"),
    single("s3:object-lock-event-hold", KeyKind::Text, "PutObject PutObjectRetention ReplicateObject"),
    single(
        "s3:object-lock-event-hold-duration-days",
        KeyKind::Numeric,
        "PutObject PutObjectRetention ReplicateObject",
    ),
    single("s3:object-lock-legal-hold", KeyKind::Text, "PutObject PutObjectLegalHold"),
    single("s3:object-lock-mode", KeyKind::Text, "PutObject PutObjectRetention"),
    single("s3:object-lock-remaining-retention-days", KeyKind::Numeric, "PutObject PutObjectRetention"),
    single("s3:object-lock-retain-until-date", KeyKind::Date, "PutObject PutObjectRetention"),
    single("s3:ObjectCreationOperation", KeyKind::Bool, "PutObject"),
    single("s3:prefix", KeyKind::Text, "ListBucket ListBucketVersions"),
    single("s3:RequestJobOperation", KeyKind::Text, "CreateJob"),
    single("s3:RequestJobPriority", KeyKind::Numeric, "CreateJob UpdateJobPriority"),
    tagged(
        "s3:RequestObjectTag",
        KeyKind::Text,
        "BypassGovernanceRetention PutObject PutObjectTagging PutObjectVersionTagging",
    ),
    multi(
        "s3:RequestObjectTagKeys",
        KeyKind::Text,
        "BypassGovernanceRetention PutObject PutObjectTagging PutObjectVersionTagging",
    ),
    single("s3:ResourceAccount", KeyKind::Text, ""),
    single("s3:resourceArnBeingAuthorized", KeyKind::Arn, "AllowVendedLogDeliveryForResource"),
    single("s3:signatureAge", KeyKind::Numeric, ""),
    single("s3:signatureversion", KeyKind::Text, ""),
    single("s3:TlsVersion", KeyKind::Numeric, ""),
    single(
        "s3:versionid",
        KeyKind::Text,
        "DeleteObjectVersion DeleteObjectVersionAnnotation DeleteObjectVersionTagging \
         GetObjectVersion GetObjectVersionAcl GetObjectVersionAnnotation GetObjectVersionAttributes \
         GetObjectVersionTagging GetObjectVersionTorrent ListObjectVersionAnnotations \
         PutObjectVersionAcl PutObjectVersionAnnotation PutObjectVersionTagging",
    ),
    single(
        "s3:x-amz-acl",
        KeyKind::Text,
        "BypassGovernanceRetention CreateAccessPoint CreateBucket PutBucketAcl PutObject PutObjectAcl \
         PutObjectVersionAcl",
    ),
    single("s3:x-amz-bucket-namespace", KeyKind::Text, "CreateBucket"),
    single("s3:x-amz-content-sha256", KeyKind::Text, ""),
    single("s3:x-amz-copy-source", KeyKind::Text, "BypassGovernanceRetention PutObject"),
    single(
        "s3:x-amz-grant-full-control",
        KeyKind::Text,
        "BypassGovernanceRetention CreateBucket PutBucketAcl PutObject PutObjectAcl \
         PutObjectVersionAcl",
    ),
    single(
        "s3:x-amz-grant-read",
        KeyKind::Text,
        "BypassGovernanceRetention CreateBucket PutBucketAcl PutObject PutObjectAcl \
         PutObjectVersionAcl",
    ),
    single(
        "s3:x-amz-grant-read-acp",
        KeyKind::Text,
        "BypassGovernanceRetention CreateBucket PutBucketAcl PutObject PutObjectAcl \
         PutObjectVersionAcl",
    ),
    single(
        "s3:x-amz-grant-write",
        KeyKind::Text,
        "BypassGovernanceRetention CreateBucket PutBucketAcl PutObject PutObjectAcl \
         PutObjectVersionAcl",
    ),
    single(
        "s3:x-amz-grant-write-acp",
        KeyKind::Text,
        "BypassGovernanceRetention CreateBucket PutBucketAcl PutObject PutObjectAcl \
         PutObjectVersionAcl",
    ),
    single("s3:x-amz-metadata-directive", KeyKind::Text, "BypassGovernanceRetention PutObject"),
    single("s3:x-amz-object-annotation-directive", KeyKind::Text, "PutObject"),
    single(
        "s3:x-amz-object-if-match",
        KeyKind::Text,
        "DeleteObjectAnnotation DeleteObjectVersionAnnotation PutObjectAnnotation \
         PutObjectVersionAnnotation",
    ),
    single("s3:x-amz-object-ownership", KeyKind::Text, "CreateBucket"),
    single(
        "s3:x-amz-server-side-encryption",
        KeyKind::Text,
        "BypassGovernanceRetention PutObject ReplicateObject UpdateObjectEncryption",
    ),
    single(
        "s3:x-amz-server-side-encryption-aws-kms-key-id",
        KeyKind::Arn,
        "BypassGovernanceRetention PutObject ReplicateObject UpdateObjectEncryption",
    ),
    single(
        "s3:x-amz-server-side-encryption-customer-algorithm",
        KeyKind::Text,
        "BypassGovernanceRetention PutObject ReplicateObject",
    ),
    single(
        "s3:x-amz-storage-class",
        KeyKind::Text,
        "BypassGovernanceRetention PutObject PutObjectAcl PutObjectVersionAcl",
    ),
    single("s3:x-amz-website-redirect-location", KeyKind::Text, "BypassGovernanceRetention PutObject"),
];
