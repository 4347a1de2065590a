//! The actions of S3 and the keys of conditions, as data.
//!
//! Names, and which action carries which key, are facts of the AWS service reference as the package `iam-floyd` (Apache-2.0)
//! lists it in 2026; which resource an action is about is our reading of the same reference. The list is open: a name that is
//! not in it may be new.

/// A key of conditions.
#[derive(Debug)]
pub(super) struct Key {
    /// Its name with the prefix of its service.
    pub(super) name: &'static str,
    /// The type of its values.
    pub(super) kind: KeyKind,
    /// Whether a request can have several values of it.
    pub(super) multi: bool,
    /// Whether the name of a tag follows after `/`.
    pub(super) tag: bool,
    /// The actions that carry it, separated by spaces; empty when practically all do.
    pub(super) actions: &'static str,
}

const fn single(name: &'static str, kind: KeyKind, actions: &'static str) -> Key {
    Key { name, kind, multi: false, tag: false, actions }
}

const fn multi(name: &'static str, kind: KeyKind, actions: &'static str) -> Key {
    Key { name, kind, multi: true, tag: false, actions }
}

const fn tagged(name: &'static str, kind: KeyKind, actions: &'static str) -> Key {
    Key { name, kind, multi: false, tag: true, actions }
}

/// The type of a key's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyKind {
    Text,
    Arn,
    Bool,
    Numeric,
    Date,
    Ip,
}

/// Actions about objects: `arn:aws:s3:::bucket/key`.
pub(super) const OBJECT_ACTIONS: &str = "\
    AbortMultipartUpload BypassGovernanceRetention DeleteObject DeleteObjectAnnotation \
    DeleteObjectTagging DeleteObjectVersion DeleteObjectVersionAnnotation DeleteObjectVersionTagging \
    GetObject GetObjectAcl GetObjectAnnotation GetObjectAttributes GetObjectLegalHold \
    GetObjectRetention GetObjectTagging GetObjectTorrent GetObjectVersion GetObjectVersionAcl \
    GetObjectVersionAnnotation GetObjectVersionAnnotationForReplication GetObjectVersionAttributes \
    GetObjectVersionForReplication GetObjectVersionTagging GetObjectVersionTorrent InitiateReplication \
    ListMultipartUploadParts ListObjectAnnotations ListObjectVersionAnnotations \
    ObjectOwnerOverrideToBucketOwner PutObject PutObjectAcl PutObjectAnnotation PutObjectLegalHold \
    PutObjectRetention PutObjectTagging PutObjectVersionAcl PutObjectVersionAnnotation \
    PutObjectVersionTagging ReplicateDelete ReplicateObject ReplicateObjectAnnotation ReplicateTags \
    RestoreObject UpdateObjectEncryption";

/// Actions about a bucket: `arn:aws:s3:::bucket`.
pub(super) const BUCKET_ACTIONS: &str = "\
    AllowVendedLogDeliveryForResource CreateBucket CreateBucketMetadataTableConfiguration DeleteBucket \
    DeleteBucketMetadataTableConfiguration DeleteBucketPolicy DeleteBucketWebsite \
    GetAccelerateConfiguration GetAnalyticsConfiguration GetBucketAbac GetBucketAcl GetBucketCORS \
    GetBucketLocation GetBucketLogging GetBucketMetadataTableConfiguration GetBucketNotification \
    GetBucketObjectLockConfiguration GetBucketOwnershipControls GetBucketPolicy GetBucketPolicyStatus \
    GetBucketPublicAccessBlock GetBucketRequestPayment GetBucketTagging GetBucketVersioning \
    GetBucketWebsite GetEncryptionConfiguration GetIntelligentTieringConfiguration \
    GetInventoryConfiguration GetLifecycleConfiguration GetMetricsConfiguration \
    GetReplicationConfiguration ListBucket ListBucketMultipartUploads ListBucketVersions \
    PauseReplication PutAccelerateConfiguration PutAnalyticsConfiguration PutBucketAbac PutBucketAcl \
    PutBucketCORS PutBucketLogging PutBucketNotification PutBucketObjectLockConfiguration \
    PutBucketOwnershipControls PutBucketPolicy PutBucketPublicAccessBlock PutBucketRequestPayment \
    PutBucketTagging PutBucketVersioning PutBucketWebsite PutEncryptionConfiguration \
    PutIntelligentTieringConfiguration PutInventoryConfiguration PutLifecycleConfiguration \
    PutMetricsConfiguration PutReplicationConfiguration \
    UpdateBucketMetadataAnnotationTableConfiguration UpdateBucketMetadataInventoryTableConfiguration \
    UpdateBucketMetadataJournalTableConfiguration";

/// Actions about the whole account: `*`.
pub(super) const ACCOUNT_ACTIONS: &str = "\
    CreateJob CreateStorageLensGroup GetAccountPublicAccessBlock ListAccessGrantsInstances \
    ListAccessPoints ListAccessPointsForObjectLambda ListAllMyBuckets ListJobs \
    ListMultiRegionAccessPoints ListStorageLensConfigurations ListStorageLensGroups \
    PutAccessPointPublicAccessBlock PutAccountPublicAccessBlock";

/// Actions about access points, jobs, grants and other things that are no bucket.
pub(super) const OTHER_ACTIONS: &str = "\
    AssociateAccessGrantsIdentityCenter CreateAccessGrant CreateAccessGrantsInstance \
    CreateAccessGrantsLocation CreateAccessPoint CreateAccessPointForObjectLambda \
    CreateMultiRegionAccessPoint DeleteAccessGrant DeleteAccessGrantsInstance \
    DeleteAccessGrantsInstanceResourcePolicy DeleteAccessGrantsLocation DeleteAccessPoint \
    DeleteAccessPointForObjectLambda DeleteAccessPointPolicy DeleteAccessPointPolicyForObjectLambda \
    DeleteJobTagging DeleteMultiRegionAccessPoint DeleteStorageLensConfiguration \
    DeleteStorageLensConfigurationTagging DeleteStorageLensGroup DescribeJob \
    DescribeMultiRegionAccessPointOperation DissociateAccessGrantsIdentityCenter GetAccessGrant \
    GetAccessGrantsInstance GetAccessGrantsInstanceForPrefix GetAccessGrantsInstanceResourcePolicy \
    GetAccessGrantsLocation GetAccessPoint GetAccessPointConfigurationForObjectLambda \
    GetAccessPointForObjectLambda GetAccessPointPolicy GetAccessPointPolicyForObjectLambda \
    GetAccessPointPolicyStatus GetAccessPointPolicyStatusForObjectLambda GetDataAccess GetJobTagging \
    GetMultiRegionAccessPoint GetMultiRegionAccessPointPolicy GetMultiRegionAccessPointPolicyStatus \
    GetMultiRegionAccessPointRoutes GetStorageLensConfiguration GetStorageLensConfigurationTagging \
    GetStorageLensDashboard GetStorageLensGroup ListAccessGrants ListAccessGrantsLocations \
    ListCallerAccessGrants ListTagsForResource PutAccessGrantsInstanceResourcePolicy \
    PutAccessPointConfigurationForObjectLambda PutAccessPointPolicy \
    PutAccessPointPolicyForObjectLambda PutJobTagging PutMultiRegionAccessPointPolicy \
    PutStorageLensConfiguration PutStorageLensConfigurationTagging SubmitMultiRegionAccessPointRoutes \
    TagResource UntagResource UpdateAccessGrantsLocation UpdateJobPriority UpdateJobStatus \
    UpdateStorageLensGroup";

/// The keys of S3.
pub(super) const S3_KEYS: &[Key] = &[
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

/// The keys that every service has.
pub(super) const GLOBAL_KEYS: &[Key] = &[
    single("aws:AssumedRoot", KeyKind::Bool, ""),
    multi("aws:CalledVia", KeyKind::Text, ""),
    single("aws:CalledViaFirst", KeyKind::Text, ""),
    single("aws:CalledViaLast", KeyKind::Text, ""),
    single("aws:ChatbotSourceArn", KeyKind::Arn, ""),
    single("aws:CurrentTime", KeyKind::Date, ""),
    single("aws:Ec2InstanceSourcePrivateIPv4", KeyKind::Ip, ""),
    single("aws:Ec2InstanceSourceVpc", KeyKind::Text, ""),
    single("aws:EpochTime", KeyKind::Date, ""),
    single("aws:FederatedProvider", KeyKind::Text, ""),
    single("aws:IsMcpServiceAction", KeyKind::Bool, ""),
    single("aws:MultiFactorAuthAge", KeyKind::Numeric, ""),
    single("aws:MultiFactorAuthPresent", KeyKind::Bool, ""),
    single("aws:PrincipalAccount", KeyKind::Text, ""),
    single("aws:PrincipalArn", KeyKind::Arn, ""),
    single("aws:PrincipalIsAWSService", KeyKind::Bool, ""),
    single("aws:PrincipalOrgID", KeyKind::Text, ""),
    single("aws:PrincipalOrgMasterAccountId", KeyKind::Text, ""),
    multi("aws:PrincipalOrgPaths", KeyKind::Text, ""),
    single("aws:PrincipalServiceName", KeyKind::Text, ""),
    multi("aws:PrincipalServiceNamesList", KeyKind::Text, ""),
    tagged("aws:PrincipalTag", KeyKind::Text, ""),
    single("aws:PrincipalType", KeyKind::Text, ""),
    single("aws:Referer", KeyKind::Text, ""),
    single("aws:RequestedRegion", KeyKind::Text, ""),
    tagged("aws:RequestTag", KeyKind::Text, ""),
    single("aws:ResourceAccount", KeyKind::Text, ""),
    single("aws:ResourceOrgID", KeyKind::Text, ""),
    multi("aws:ResourceOrgPaths", KeyKind::Text, ""),
    tagged("aws:ResourceTag", KeyKind::Text, ""),
    single("aws:SecureTransport", KeyKind::Bool, ""),
    single("aws:SourceAccount", KeyKind::Text, ""),
    single("aws:SourceArn", KeyKind::Arn, ""),
    single("aws:SourceIdentity", KeyKind::Text, ""),
    single("aws:SourceIp", KeyKind::Ip, ""),
    single("aws:SourceOrgID", KeyKind::Text, ""),
    multi("aws:SourceOrgPaths", KeyKind::Text, ""),
    single("aws:SourceOwner", KeyKind::Text, ""),
    single("aws:SourceVpc", KeyKind::Text, ""),
    single("aws:SourceVpcArn", KeyKind::Arn, ""),
    single("aws:SourceVpce", KeyKind::Text, ""),
    multi("aws:TagKeys", KeyKind::Text, ""),
    single("aws:TokenIssueTime", KeyKind::Date, ""),
    single("aws:UserAgent", KeyKind::Text, ""),
    single("aws:userid", KeyKind::Text, ""),
    single("aws:username", KeyKind::Text, ""),
    single("aws:ViaAWSService", KeyKind::Bool, ""),
    single("aws:VpceAccount", KeyKind::Text, ""),
    single("aws:VpceOrgID", KeyKind::Text, ""),
    multi("aws:VpceOrgPaths", KeyKind::Text, ""),
    single("aws:VpcSourceIp", KeyKind::Ip, ""),
];

/// Names of API calls that people take for actions, and the action that each call needs.
pub(super) const NO_ACTIONS: &[(&str, &str)] = &[
    ("HeadObject", "s3:GetObject"),
    ("HeadBucket", "s3:ListBucket"),
    ("ListObjects", "s3:ListBucket"),
    ("ListObjectsV2", "s3:ListBucket"),
    ("ListBuckets", "s3:ListAllMyBuckets"),
    ("ListObjectVersions", "s3:ListBucketVersions"),
    ("ListMultipartUploads", "s3:ListBucketMultipartUploads"),
    ("ListParts", "s3:ListMultipartUploadParts"),
    ("DeleteObjects", "s3:DeleteObject"),
    ("CopyObject", "s3:GetObject and s3:PutObject"),
    ("UploadPart", "s3:PutObject"),
    ("CreateMultipartUpload", "s3:PutObject"),
    ("CompleteMultipartUpload", "s3:PutObject"),
    ("PutBucketLifecycle", "s3:PutLifecycleConfiguration"),
    ("PutBucketLifecycleConfiguration", "s3:PutLifecycleConfiguration"),
    ("DeleteBucketLifecycle", "s3:PutLifecycleConfiguration"),
    ("PutBucketEncryption", "s3:PutEncryptionConfiguration"),
    ("DeleteBucketEncryption", "s3:PutEncryptionConfiguration"),
    ("PutBucketReplication", "s3:PutReplicationConfiguration"),
    ("DeleteBucketReplication", "s3:PutReplicationConfiguration"),
    ("PutPublicAccessBlock", "s3:PutBucketPublicAccessBlock"),
    ("DeletePublicAccessBlock", "s3:PutBucketPublicAccessBlock"),
    ("PutBucketNotificationConfiguration", "s3:PutBucketNotification"),
    ("DeleteBucketCors", "s3:PutBucketCORS"),
    ("DeleteBucketTagging", "s3:PutBucketTagging"),
    ("PutObjectLockConfiguration", "s3:PutBucketObjectLockConfiguration"),
    ("PutBucketAccelerateConfiguration", "s3:PutAccelerateConfiguration"),
    ("SelectObjectContent", "s3:GetObject"),
];

/// Services whose actions appear in the policies that AWS itself manages (2026).
pub(super) const SERVICES: &str = "\
    a2c a4b access-analyzer account account-access acm acm-pca aco-automation action-recommendations \
    agent-registry aidevops aiops airflow airflow-serverless amplify amplifybackend amplifyuibuilder \
    aoss apigateway app-integrations appconfig appfabric appflow application-autoscaling \
    application-signals application-transformation applicationinsights appmesh appmesh-preview \
    apprunner appstream appstudio appsync apptest aps arc-region-switch arc-zonal-shift arsenal \
    artifact assurance athena auditmanager autoscaling autoscaling-plans aws-external-anthropic \
    aws-marketplace aws-marketplace-management aws-portal awsconnector b2bi backup backup-gateway \
    backup-search backup-storage batch bcm-dashboards bcm-data-exports bcm-pricing-calculator \
    bcm-recommended-actions bedrock bedrock-agentcore bedrock-mantle bedrock-websearch billing \
    billingconductor braket budgets bugbust builderid cases cassandra ce chatbot chime cleanrooms \
    cleanrooms-ml cloud9 clouddirectory cloudformation cloudfront cloudfront-keyvaluestore cloudhsm \
    cloudsearch cloudshell cloudtrail cloudwatch codeartifact codebuild codecatalyst codecommit \
    codeconnections codedeploy codeguru codeguru-profiler codeguru-reviewer codeguru-security \
    codepipeline codestar codestar-connections codestar-notifications codewhisperer cognito-identity \
    cognito-idp cognito-sync comprehend comprehendmedical compute-optimizer config connect \
    connect-campaigns consoleapp consolidatedbilling controlcatalog controltower cost-optimization-hub \
    cur customer-verification databrew dataexchange datapipeline datasync datazone dax dbqms deadline \
    deepcomposer deeplens deepracer detective devicefarm devops-guru directconnect discovery dlm dms \
    docdb-elastic drs ds ds-data dsql dynamodb ebs ec2 ec2-instance-connect ec2messages ecr ecr-public \
    ecs eks eks-auth eks-mcp elastic-inference elasticache elasticbeanstalk elasticfilesystem \
    elasticloadbalancing elasticmapreduce elastictranscoder elemental-activations \
    elemental-appliances-software elemental-inference elemental-support-cases \
    elemental-support-content emr-containers emr-serverless entityresolution es events eventsbilltoaws \
    evidently evs execute-api finops-agent finspace firehose fis fms forecast frauddetector freertos \
    freetier fsx gamelift gameliftstreams geo geo-maps geo-places geo-routes glacier globalaccelerator \
    glue grafana greengrass groundstation groundtruthlabeling guardduty health healthlake honeycode \
    iam identity-sync identitystore identitystore-auth imagebuilder importexport inspector \
    inspector-scan inspector2 inspector2-telemetry interconnect internetmonitor invoicing iot \
    iot-device-tester iot1click iotanalytics iotdeviceadvisor iotevents iotfleethub iotfleetwise \
    iotjobsdata iotmanagedintegrations iotsitewise iottwinmaker iotwireless iq iq-permission ivs \
    ivschat kafka kafka-cluster kafkaconnect kendra kendra-ranking kinesis kinesisanalytics \
    kinesisvideo kms lakeformation lambda launchwizard lex license-manager \
    license-manager-linux-subscriptions license-manager-user-subscriptions lightsail logs \
    lookoutequipment lookoutmetrics lookoutvision m2 machinelearning macie2 managedblockchain \
    mapcredits mechanicalturk mediaconnect mediaconvert medialive mediapackage mediapackage-vod \
    mediapackagev2 mediastore mediatailor medical-imaging memorydb mgh mgn migrationhub-orchestrator \
    migrationhub-strategy mobileanalytics mobiletargeting monitron mpa mq neptune-db neptune-graph \
    network-firewall networkflowmonitor networkmanager networkmonitor nimble notifications \
    notifications-contacts nova-act oam observabilityadmin odb omics one opensearch opsworks \
    opsworks-cm organizations osis outposts panorama partnercentral partnercentral-account-management \
    payment-cryptography payments pca-connector-ad pca-connector-scep pcs personalize pi pipes polly \
    pricing pricingplanmanager private-networks profile proton purchase-orders q qapps qbusiness qldb \
    quicksight ram rbin rds rds-data rds-db redshift redshift-data redshift-serverless refactor-spaces \
    rekognition researchstudio resiliencehub resource-explorer-2 resource-groups robomaker \
    rolesanywhere route53 route53-recovery-cluster route53-recovery-control-config \
    route53-recovery-readiness route53domains route53globalresolver route53profiles route53resolver \
    rtbfabric rum s3 s3-object-lambda s3-outposts s3express s3files s3tables s3vectors sagemaker \
    sagemaker-data-science-assistant sagemaker-geospatial sagemaker-mlflow \
    sagemaker-unified-studio-mcp savingsplans scheduler schemas scn sdb secretsmanager security-ir \
    securityagent securityhub securitylake serverlessrepo servicecatalog servicediscovery \
    servicequotas ses shield signer signin simspaceweaver sms sms-voice snowball sns social-messaging \
    sqlworkbench sqs ssm ssm-contacts ssm-guiconnect ssm-incidents ssm-quicksetup ssm-sap ssmmessages \
    sso sso-directory states storagegateway sts support support-console supportapp supportplans \
    sustainability swf synthetics tag tax textract thinclient timestream timestream-influxdb tiros tnb \
    transcribe transfer transform transform-custom translate trustedadvisor user-subscriptions uxc \
    vendor-insights verifiedpermissions voiceid vpc-lattice vpc-lattice-svcs waf waf-regional wafv2 \
    wam wellarchitected wickr wisdom workdocs worklink workmail workmailmessageflow workspaces \
    workspaces-instances workspaces-web xray zocalo";
