//! The rules of the policy language.
//!
//! An id names the family that the rule belongs to: the document (`doc`), a statement (`stm`), principals (`prn`), actions
//! (`act`), resources (`res`), conditions (`cnd`), variables (`var`), size (`siz`), public access (`pub`), lock-out (`lck`), tenants
//! (`ten`), secrets (`sec`). Where a finding weighs more in one kind of policy than in the other, each weight has an id.
//! A rule whose level is `Off` is a suggestion: it is shown by `check --policy` and not at admission.
//! What a provider may read otherwise than it is read here protects others: nobody could tell what such a document allows.

use crate::rules;

rules! {
    DOC_01 = Deny protects_others "s3.policy.doc-01", "A policy document begins with '{', not with a byte order mark.";
    DOC_02 = Deny protects_others "s3.policy.doc-02", "A policy document is strict JSON: no comments, no trailing commas, no NaN.";
    DOC_03 = Deny protects_others "s3.policy.doc-03", "No object of a policy document has the same key twice.";
    DOC_04 = Deny protects_others "s3.policy.doc-04", "A policy document has no elements but Version, Id and Statement.";
    DOC_05 = Deny protects_others "s3.policy.doc-05", "The elements of a policy are spelled as in the grammar, upper and lower case included.";
    DOC_06 = Deny "s3.policy.doc-06", "The Version is 2012-10-17 or 2008-10-17.";
    DOC_07 = Warn "s3.policy.doc-07", "A bucket policy has a Version; without one it is read in the language of 2008.";
    DOC_07_IDENTITY = Deny "s3.policy.doc-07-identity", "An identity policy has the Version 2012-10-17.";
    DOC_08 = Warn "s3.policy.doc-08", "A policy with variables has the Version 2012-10-17; in 2008-10-17 they are plain text.";
    DOC_09 = Deny "s3.policy.doc-09", "An identity policy has no Id.";
    DOC_10 = Deny protects_others "s3.policy.doc-10", "A policy document has a Statement.";
    DOC_11 = Deny protects_others "s3.policy.doc-11", "The Statement is an object or a non-empty list of objects.";
    DOC_12 = Deny protects_others "s3.policy.doc-12", "A policy document is nested at most 8 deep and has at most 20,000 values.";
    DOC_13 = Deny protects_others "s3.policy.doc-13", "A value that the grammar calls a string is a JSON string.";

    STM_01 = Deny protects_others "s3.policy.stm-01", "A statement has no elements but those of the grammar.";
    STM_02 = Deny protects_others "s3.policy.stm-02", "A statement has the Effect Allow or Deny.";
    STM_03 = Deny protects_others "s3.policy.stm-03", "A statement has exactly one of Action and NotAction.";
    STM_04 = Deny protects_others "s3.policy.stm-04", "A statement has exactly one of Resource and NotResource.";
    STM_05 = Deny "s3.policy.stm-05", "A statement of a bucket policy has exactly one of Principal and NotPrincipal, one of an identity policy neither.";
    STM_06 = Deny "s3.policy.stm-06", "A Sid has only letters and digits; in a bucket policy, only printable ASCII.";
    STM_06_BUCKET = Warn "s3.policy.stm-06-bucket", "The Sid of a bucket policy has only letters and digits.";
    STM_07 = Deny "s3.policy.stm-07", "No two statements of an identity policy have the same Sid.";
    STM_07_BUCKET = Warn "s3.policy.stm-07-bucket", "No two statements of a bucket policy have the same Sid.";
    STM_08 = Off "s3.policy.stm-08", "A Sid is not empty.";
    STM_09 = Deny "s3.policy.stm-09", "Actions, resources and principals are neither an empty text nor an empty list.";
    STM_10 = Off "s3.policy.stm-10", "No list has the same entry twice.";
    STM_11 = Off "s3.policy.stm-11", "No statement says the same as another.";
    STM_12 = Deny "s3.policy.stm-12", "No statement allows with NotPrincipal: it would allow everybody else, anonymous callers included.";
    STM_13 = Warn "s3.policy.stm-13", "No statement allows with NotAction: it grants every action that is still to come.";
    STM_14 = Warn "s3.policy.stm-14", "No statement allows with NotResource: it grants whatever is not listed.";
    STM_15 = Warn "s3.policy.stm-15", "No statement denies with NotPrincipal: it locks out everybody that is not listed by account and by user.";
    STM_16 = Off "s3.policy.stm-16", "A Condition is not empty.";

    PRN_01 = Deny "s3.policy.prn-01", "A Principal is \"*\" or an object.";
    PRN_02 = Deny "s3.policy.prn-02", "A Principal has no keys but AWS, CanonicalUser, Federated and Service.";
    PRN_03 = Deny "s3.policy.prn-03", "A Principal names somebody.";
    PRN_04 = Deny "s3.policy.prn-04", "An AWS principal is *, an account id, or the ARN of a root, user, role or session.";
    PRN_05 = Deny "s3.policy.prn-05", "A group or an instance profile is no principal.";
    PRN_06 = Deny "s3.policy.prn-06", "A principal has no wildcard but a lone *.";
    PRN_07 = Warn "s3.policy.prn-07", "A * stands alone among principals; the others add nothing.";
    PRN_08 = Warn "s3.policy.prn-08", "A principal is not the id that is left of a deleted user or role.";
    PRN_09 = Deny "s3.policy.prn-09", "A service principal is NAME.amazonaws.com.";
    PRN_10 = Warn "s3.policy.prn-10", "A service is allowed only on behalf of a source account, organisation or ARN.";
    PRN_11 = Off "s3.policy.prn-11", "A service is not restricted by aws:Referer.";
    PRN_12 = Deny "s3.policy.prn-12", "A bucket policy has no federated principal.";
    PRN_13 = Deny "s3.policy.prn-13", "A CanonicalUser has 64 lower-case hexadecimal digits.";
    PRN_14 = Deny "s3.policy.prn-14", "An account id has 12 digits where the provider's have.";
    PRN_16 = Deny "s3.policy.prn-16", "A principal's ARN is in the provider's partition.";
    PRN_17 = Deny "s3.policy.prn-17", "A statement for a service has no condition on the caller's organisation or account, which services do not have.";

    ACT_01 = Deny "s3.policy.act-01", "An action is * or SERVICE:NAME.";
    ACT_03 = Deny "s3.policy.act-03", "An action's service is not a misspelling of a known one.";
    ACT_03_UNKNOWN = Warn "s3.policy.act-03-unknown", "An action's service is known.";
    ACT_04 = Warn "s3.policy.act-04", "An action's service has no wildcard.";
    ACT_05 = Deny "s3.policy.act-05", "An action of a bucket policy is one that S3 has.";
    ACT_05_IDENTITY = Warn "s3.policy.act-05-identity", "An s3 action of an identity policy is one that S3 has.";
    ACT_06 = Deny "s3.policy.act-06", "A bucket policy has only actions of s3.";
    ACT_06_ALL = Warn "s3.policy.act-06-all", "A bucket policy says s3:* and not *, which some providers refuse.";
    ACT_07 = Deny "s3.policy.act-07", "An action of a bucket policy is about buckets or objects.";
    ACT_07_ACCOUNT = Warn "s3.policy.act-07-account", "A bucket policy at Wasabi does not list s3:ListAllMyBuckets, which has no effect there.";
    ACT_08 = Warn "s3.policy.act-08", "A bucket policy does not speak of s3:CreateBucket, which has no effect there.";
    ACT_09 = Deny "s3.policy.act-09", "Every action of a bucket policy has a resource of its type in the statement: objects for object actions, a bucket for bucket actions.";
    ACT_09_IDENTITY = Warn "s3.policy.act-09-identity", "An s3 action of an identity policy has a resource of its type in the statement.";
    ACT_10 = Warn "s3.policy.act-10", "Every resource has an action of its type in the statement.";
    ACT_11 = Off "s3.policy.act-11", "No action is covered by another of the same statement.";
    ACT_12 = Warn "s3.policy.act-12", "No statement allows all actions of a service.";
    ACT_13 = Deny "s3.policy.act-13", "An action is a permission, not the name of an API call that needs one.";
    ACT_14 = Warn "s3.policy.act-14", "Nobody of another account is allowed to change who may do what.";
    ACT_14_PUBLIC = Deny "s3.policy.act-14-public", "Not everybody is allowed to change who may do what.";
    ACT_15 = Warn "s3.policy.act-15", "Who may change a bucket's policy, ACL or lifecycle may reach its objects too; grant it knowingly.";
    ACT_16 = Warn "s3.policy.act-16", "iam:PassRole and iam:CreateServiceLinkedRole are allowed for named roles or services only.";
    ACT_17 = Warn "s3.policy.act-17", "No IAM action by which a user could raise its own rights is allowed on everything.";

    RES_01 = Deny "s3.policy.res-01", "A resource is * or an ARN: arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE.";
    RES_02 = Deny "s3.policy.res-02", "A resource is in the provider's partition.";
    RES_03 = Deny "s3.policy.res-03", "An ARN's service is named in full, in lower case.";
    RES_04 = Deny "s3.policy.res-04", "The ARN of a bucket or an object has neither region nor account.";
    RES_05 = Deny "s3.policy.res-05", "The ARN of an IAM resource has no region and names its kind.";
    RES_06 = Deny "s3.policy.res-06", "An ARN's account is 12 digits, a pattern or aws.";
    RES_07 = Deny "s3.policy.res-07", "A bucket policy names its own bucket, in full.";
    RES_08 = Deny "s3.policy.res-08", "A bucket policy does not have the resource *.";
    RES_09 = Deny "s3.policy.res-09", "The ARN of an object has its bucket before the first /.";
    RES_10 = Deny "s3.policy.res-10", "An object's key has at most 1,024 bytes.";
    RES_11 = Warn "s3.policy.res-11", "A bucket is not followed by a wildcard without /, which reaches other buckets.";
    RES_12 = Warn "s3.policy.res-12", "No statement allows s3 actions on all buckets.";
    RES_13 = Off "s3.policy.res-13", "No resource is covered by another of the same statement.";
    RES_14 = Deny "s3.policy.res-14", "A bucket policy has no resource of another service.";
    RES_15 = Deny "s3.policy.res-15", "A bucket policy has no access point as a resource.";

    CND_01 = Deny "s3.policy.cnd-01", "A condition's operator is one that there is.";
    CND_03 = Deny "s3.policy.cnd-03", "Null has no IfExists.";
    CND_04 = Warn "s3.policy.cnd-04", "Null has no ForAllValues or ForAnyValue, with which it is always true or always false.";
    CND_05 = Deny "s3.policy.cnd-05", "A condition's key is PREFIX:NAME, and is there once for each operator.";
    CND_06 = Deny "s3.policy.cnd-06", "The values of a condition's key are of one JSON type.";
    CND_07 = Deny "s3.policy.cnd-07", "An aws: key is not a misspelling of one that there is.";
    CND_07_UNKNOWN = Warn "s3.policy.cnd-07-unknown", "An aws: key is a known one.";
    CND_08 = Deny "s3.policy.cnd-08", "An s3: key is not a misspelling of one that there is.";
    CND_08_UNKNOWN = Warn "s3.policy.cnd-08-unknown", "An s3: key is a known one.";
    CND_09 = Deny "s3.policy.cnd-09", "A condition's operator fits the type of its key.";
    CND_09_USABLE = Warn "s3.policy.cnd-09-usable", "A condition's operator is the one for the type of its key, not merely one that works.";
    CND_10 = Deny "s3.policy.cnd-10", "A Bool or Null condition has one value, true or false.";
    CND_11 = Deny "s3.policy.cnd-11", "The value of a Numeric condition is a number.";
    CND_12 = Deny "s3.policy.cnd-12", "The value of a Date condition is a date, a date-time with zone, or seconds since 1970.";
    CND_12_EPOCH = Warn "s3.policy.cnd-12-epoch", "The value of a Date condition is written as a date.";
    CND_13 = Deny "s3.policy.cnd-13", "The value of an IpAddress condition is an address or a CIDR range.";
    CND_13_HOST = Off "s3.policy.cnd-13-host", "A CIDR range has no bits behind its prefix.";
    CND_14 = Deny "s3.policy.cnd-14", "aws:SourceIp is compared with public addresses; it is never a private one.";
    CND_14_MIXED = Off "s3.policy.cnd-14-mixed", "aws:SourceIp is not compared with private addresses among public ones.";
    CND_15 = Deny "s3.policy.cnd-15", "The value of a BinaryEquals condition is base64.";
    CND_16 = Deny "s3.policy.cnd-16", "The value of an Arn condition has the six parts of an ARN.";
    CND_17 = Warn "s3.policy.cnd-17", "A value with wildcards has an operator that knows them.";
    CND_18 = Warn "s3.policy.cnd-18", "ForAllValues does not restrict an Allow: it is true when the key is missing.";
    CND_19 = Deny "s3.policy.cnd-19", "A key with several values has ForAllValues or ForAnyValue.";
    CND_20 = Warn "s3.policy.cnd-20", "A condition's key has a value.";
    CND_21 = Deny "s3.policy.cnd-21", "A tag key is followed by the name of the tag.";
    CND_22 = Deny "s3.policy.cnd-22", "A VPC is vpc-ID and an endpoint vpce-ID, with 8 or 17 characters.";
    CND_23 = Deny "s3.policy.cnd-23", "An account in a condition has 12 digits.";
    CND_24 = Deny "s3.policy.cnd-24", "An organisation is o- and 10 to 32 letters and digits.";
    CND_25 = Warn "s3.policy.cnd-25", "A region in a condition is one that the provider has, where its regions are known (AWS, Wasabi).";
    CND_26 = Off "s3.policy.cnd-26", "A bucket policy has no condition on s3:ResourceAccount, which is always the bucket's.";
    CND_27 = Deny "s3.policy.cnd-27", "Every action that is allowed carries the s3: keys of the statement's conditions.";
    CND_27_DENY = Warn "s3.policy.cnd-27-deny", "Every action that is denied carries the s3: keys of the statement's conditions.";
    CND_28 = Warn "s3.policy.cnd-28", "aws:VpcSourceIp is together with aws:SourceVpc or aws:SourceVpce.";
    CND_29 = Warn "s3.policy.cnd-29", "A Deny without MFA uses BoolIfExists, since requests without MFA lack the key.";
    CND_30 = Off "s3.policy.cnd-30", "A Deny of plain HTTP covers the bucket and its objects, for everybody.";
    CND_31 = Off "s3.policy.cnd-31", "A Numeric comparison has one value.";

    VAR_02 = Deny "s3.policy.var-02", "Variables stand only in resources and in the values of String and Arn conditions.";
    VAR_03 = Deny "s3.policy.var-03", "A variable is ${key} or ${key, 'default'}.";
    VAR_05 = Deny "s3.policy.var-05", "A key with several values is no variable.";
    VAR_07 = Off "s3.policy.var-07", "A variable that may be missing has a default.";

    SIZ_01 = Deny "s3.policy.siz-01", "A bucket policy has at most 20,480 bytes.";
    SIZ_01_NEAR = Warn "s3.policy.siz-01-near", "A bucket policy has at most 16,384 bytes, four fifths of what is allowed.";
    SIZ_02 = Deny "s3.policy.siz-02", "A managed policy has at most 6,144 characters, white space outside strings not counted.";
    SIZ_03 = Deny "s3.policy.siz-03", "An inline policy of a user has at most 2,048 characters; so have all of them together, which the service counts.";

    PUB_02 = Deny "s3.policy.pub-02", "A bucket policy is not public, unless allowPublic says so.";

    LCK_01 = Deny "s3.policy.lck-01", "A bucket policy does not deny Concierge to read and change it, unless allowLockout says so.";
    LCK_03 = Warn "s3.policy.lck-03", "A Deny by address, endpoint or whatever else is not known of the callers that manage the bucket exempts them.";

    TEN_01 = Deny protects_others "s3.policy.ten-01", "An identity policy of a namespace names only buckets of that namespace.";
    TEN_02 = Deny protects_others "s3.policy.ten-02", "An identity policy of a namespace allows nothing by which users get the rights of others (iam:*, iam:CreateAccessKey, sts:AssumeRole, kms:CreateGrant and the like), and at the Provider of another namespace no action but those of S3.";

    SEC_01 = Warn "s3.policy.sec-01", "A policy contains nothing that looks like an access key or its secret.";
}
