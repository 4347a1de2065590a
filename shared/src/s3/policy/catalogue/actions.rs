//! Actions, and the services that have any.

/// Actions about objects: `arn:aws:s3:::bucket/key`.
pub(in crate::s3::policy) const OBJECT_ACTIONS: &str = "\
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
pub(in crate::s3::policy) const BUCKET_ACTIONS: &str = "\
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
pub(in crate::s3::policy) const ACCOUNT_ACTIONS: &str = "\
    CreateJob CreateStorageLensGroup GetAccountPublicAccessBlock ListAccessGrantsInstances \
    ListAccessPoints ListAccessPointsForObjectLambda ListAllMyBuckets ListJobs \
    ListMultiRegionAccessPoints ListStorageLensConfigurations ListStorageLensGroups \
    PutAccessPointPublicAccessBlock PutAccountPublicAccessBlock";

/// Actions about access points, jobs, grants and other things that are no bucket.
pub(in crate::s3::policy) const OTHER_ACTIONS: &str = "\
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

/// Names of API calls that people take for actions, and the action that each call needs.
pub(in crate::s3::policy) const NO_ACTIONS: &[(&str, &str)] = &[
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
pub(in crate::s3::policy) const SERVICES: &str = "\
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
