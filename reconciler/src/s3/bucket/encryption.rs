//! How objects are encrypted.

use aws_sdk_s3::types::{
    ServerSideEncryption, ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration,
    ServerSideEncryptionRule,
};
use concierge_shared::s3::{Algorithm, Encryption, policy::Profile};

use super::NOTHING;
use crate::{engine::Failure, s3::iam::unbuildable};

const AES: &str = "AES256";
const KMS: &str = "aws:kms";

fn line(algorithm: &str, key: Option<&str>) -> String {
    match key {
        Some(key) if algorithm == KMS => format!("{KMS} {key}"),
        _ => algorithm.to_owned(),
    }
}

pub(super) fn wanted(encryption: &Encryption) -> String {
    match (encryption.enabled, encryption.algorithm) {
        (Some(true), Some(Algorithm::Kms)) => line(KMS, encryption.kms_key_id.as_deref()),
        (Some(true), _) => AES.to_owned(),
        _ => NOTHING.to_owned(),
    }
}

pub(super) fn found(found: &ServerSideEncryptionConfiguration) -> String {
    let mut rules = found.rules().iter();
    let default = rules.find_map(|rule| rule.apply_server_side_encryption_by_default());
    default
        .map_or_else(|| NOTHING.to_owned(), |one| line(one.sse_algorithm().as_str(), one.kms_master_key_id()))
}

/// AWS encrypts every bucket with its own keys, and names the key that it uses when nobody has named one; a key's ARN ends with its id.
pub(super) fn agrees(profile: Profile, wanted: &str, found: &str) -> bool {
    match wanted {
        NOTHING => profile == Profile::Aws && found == AES,
        KMS => found.starts_with("aws:kms "),
        _ => match (wanted.strip_prefix("aws:kms "), found.strip_prefix("aws:kms ")) {
            (Some(wanted), Some(found)) => found.ends_with(&format!("/{wanted}")),
            _ => false,
        },
    }
}

pub(super) fn body(encryption: &Encryption) -> Result<ServerSideEncryptionConfiguration, Failure> {
    let kms = encryption.algorithm == Some(Algorithm::Kms);
    let algorithm = if kms { ServerSideEncryption::AwsKms } else { ServerSideEncryption::Aes256 };
    let default = ServerSideEncryptionByDefault::builder()
        .sse_algorithm(algorithm)
        .set_kms_master_key_id(encryption.kms_key_id.clone().filter(|_| kms));
    let default = default.build().map_err(unbuildable)?;
    let rule = ServerSideEncryptionRule::builder().apply_server_side_encryption_by_default(default).build();
    ServerSideEncryptionConfiguration::builder().rules(rule).build().map_err(unbuildable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_service_adds_by_itself_is_no_difference() {
        assert!(agrees(Profile::Aws, NOTHING, AES) && !agrees(Profile::Generic, NOTHING, AES));
        assert!(agrees(Profile::Aws, KMS, "aws:kms arn:aws:kms:eu-west-1:123456789012:alias/aws/s3"));
        assert!(agrees(Profile::Aws, "aws:kms 12ab", "aws:kms arn:aws:kms:eu-west-1:123456789012:key/12ab"));
        assert!(!agrees(
            Profile::Aws,
            "aws:kms 12ab",
            "aws:kms arn:aws:kms:eu-west-1:123456789012:key/ff12ab"
        ));
        assert!(!agrees(Profile::Aws, KMS, AES) && !agrees(Profile::Aws, NOTHING, KMS));
    }
}
