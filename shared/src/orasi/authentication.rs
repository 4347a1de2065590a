//! Who Orasi is at a service. Upstream's types hold passwords and keys as texts; here they stand in Secrets, and the fields that would
//! hold them are there to be refused.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    credentials::{check_text, refuse_inline},
    endpoint,
};
use crate::{
    admission::{
        problem::{Cause, Problems},
        rule::AdmissionRule,
    },
    common::SecretKeyRef,
    field::at,
};

/// How Orasi says who it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AuthenticationMethod {
    /// Not at all.
    #[default]
    None,
    /// With a key.
    ApiKey,
    /// With a name and a password; at S3, the id and the secret of an access key.
    Basic,
    /// With a token that another service gives.
    OAuth,
    /// With a certificate.
    Certificate,
    /// With tokens that it signs itself.
    #[serde(rename = "JWT")]
    Jwt,
}

/// Who Orasi is at a service.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Authentication {
    /// How it says so.
    pub method: AuthenticationMethod,
    /// The name; usernameSecretRef if it is to stand in a Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub username: Option<String>,
    /// The entry of a Secret with the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username_secret_ref: Option<SecretKeyRef>,
    /// The entry of a Secret with the password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_secret_ref: Option<SecretKeyRef>,
    /// The entry of a Secret with the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key_secret_ref: Option<SecretKeyRef>,
    /// Where tokens come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oauth: Option<OAuth>,
    /// The entry of a Secret with the certificate, in PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_secret_ref: Option<SecretKeyRef>,
    /// The entry of a Secret with the private key, in PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_key_secret_ref: Option<SecretKeyRef>,
    /// Refused: a password stands in a Secret, which passwordSecretRef names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub password: Option<String>,
    /// Refused: a key stands in a Secret, which apiKeySecretRef names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub api_key: Option<String>,
}

/// Where tokens come from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OAuth {
    /// As whom Orasi asks for them.
    #[schemars(length(max = 255))]
    pub client_id: String,
    /// The entry of a Secret with the client's secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret_ref: Option<SecretKeyRef>,
    /// The address that gives them, a URL.
    #[schemars(length(max = 2048))]
    pub token_endpoint: String,
    /// What they are to allow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), inner(length(max = 255)))]
    pub scopes: Option<Vec<String>>,
    /// Where users are sent back to, a URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub redirect_uri: Option<String>,
    /// Refused: the client's secret stands in a Secret, which clientSecretRef names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub client_secret: Option<String>,
}

/// The fields of the authentication at `$at` that may hold a secret, behind others.
macro_rules! authentication_secrets {
    ($($at:literal),+; $($other:literal),* $(,)?) => {
        &[
            $($other,)*
            $(
                concat!($at, ".apiKey"),
                concat!($at, ".password"),
                concat!($at, ".oauth.clientSecret"),
                concat!($at, ".oauth.tokenEndpoint"),
                concat!($at, ".oauth.redirectUri"),
            )+
        ]
    };
}
pub(super) use authentication_secrets;

/// The rule of an authentication's form, and that of credentials in it.
pub(super) type Rules = (&'static AdmissionRule, &'static AdmissionRule);

/// What methods are made of.
const PARTS: [&str; 6] = [
    "username",
    "passwordSecretRef",
    "apiKeySecretRef",
    "oauth",
    "certificateSecretRef",
    "privateKeySecretRef",
];

impl AuthenticationMethod {
    /// What it needs, and what else may be given with it.
    fn parts(self) -> (&'static [&'static str], &'static [&'static str]) {
        match self {
            Self::None => (&[], &[]),
            Self::ApiKey => (&["apiKeySecretRef"], &[]),
            Self::Basic => (&["username", "passwordSecretRef"], &[]),
            Self::OAuth => (&["oauth"], &["username"]),
            Self::Certificate => (&["certificateSecretRef", "privateKeySecretRef"], &["username"]),
            Self::Jwt => (&["privateKeySecretRef"], &["username"]),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::None => "None",
            Self::ApiKey => "ApiKey",
            Self::Basic => "Basic",
            Self::OAuth => "OAuth",
            Self::Certificate => "Certificate",
            Self::Jwt => "JWT",
        }
    }
}

impl Authentication {
    fn has(&self, part: &str) -> bool {
        match part {
            "username" => self.username.is_some() || self.username_secret_ref.is_some(),
            "passwordSecretRef" => self.password_secret_ref.is_some(),
            "apiKeySecretRef" => self.api_key_secret_ref.is_some(),
            "oauth" => self.oauth.is_some(),
            "certificateSecretRef" => self.certificate_secret_ref.is_some(),
            _ => self.private_key_secret_ref.is_some(),
        }
    }

    /// The entries of Secrets that it names, each with its field.
    pub fn secret_refs(&self) -> impl Iterator<Item = (&'static str, &SecretKeyRef)> {
        let client = self.oauth.as_ref().and_then(|oauth| oauth.client_secret_ref.as_ref());
        let all = [
            ("usernameSecretRef", &self.username_secret_ref),
            ("passwordSecretRef", &self.password_secret_ref),
            ("apiKeySecretRef", &self.api_key_secret_ref),
            ("certificateSecretRef", &self.certificate_secret_ref),
            ("privateKeySecretRef", &self.private_key_secret_ref),
        ];
        let all = all.into_iter().filter_map(|(field, entry)| Some((field, entry.as_ref()?)));
        all.chain(client.map(|entry| ("oauth.clientSecretRef", entry)))
    }
}

/// Adds what is wrong with the authentication at `field`: with its form by the first of `rules`, credentials in it by the second.
pub(super) fn check(
    field: &str,
    given: Option<&Authentication>,
    (form, credentials): Rules,
    problems: &mut Problems,
) {
    let Some(given) = given else { return };
    let at_part = |part: &str| at(&format!("{field}.{part}"));
    check_parts(field, given, form, problems);
    for (part, entry) in given.secret_refs() {
        entry.check(at_part(part), form, problems);
    }
    for (part, text, instead) in
        [("password", &given.password, "passwordSecretRef"), ("apiKey", &given.api_key, "apiKeySecretRef")]
    {
        refuse_inline(at_part(part), text.as_ref(), instead, credentials, problems);
    }
    if let Some(oauth) = &given.oauth {
        check_oauth(&format!("{field}.oauth"), oauth, (form, credentials), problems);
    }
}

fn check_parts(field: &str, given: &Authentication, rule: &'static AdmissionRule, problems: &mut Problems) {
    let (needed, allowed) = given.method.parts();
    let method = given.method.name();
    for part in PARTS {
        let field = at(&format!("{field}.{part}"));
        // What is refused as inline is not told to be missing as well.
        let inline = match part {
            "passwordSecretRef" => given.password.is_some(),
            "apiKeySecretRef" => given.api_key.is_some(),
            _ => false,
        };
        let (is_needed, has) = (needed.contains(&part), given.has(part));
        if is_needed && !has && !inline {
            let message = format!("is required by the method {method}; set it");
            problems.add(rule, Cause::Required, field, message);
        } else if has && !is_needed && !allowed.contains(&part) {
            let message = format!("has no effect with the method {method}; remove it, or use another method");
            problems.add(rule, Cause::Forbidden, field, message);
        }
    }
    if given.username.is_some() && given.username_secret_ref.is_some() {
        let field = at(&format!("{field}.username"));
        problems.add(rule, Cause::Forbidden, field, "is given beside usernameSecretRef; remove one of them");
    }
}

fn check_oauth(field: &str, oauth: &OAuth, (form, credentials): Rules, problems: &mut Problems) {
    let at_part = |part: &str| at(&format!("{field}.{part}"));
    let secret = oauth.client_secret.as_ref();
    if oauth.client_id.trim().is_empty() {
        problems.add(form, Cause::Required, at_part("clientId"), "is blank; fill it in");
    }
    if oauth.client_secret_ref.is_none() && secret.is_none() {
        problems.add(form, Cause::Required, at_part("clientSecretRef"), "is required; set it");
    }
    refuse_inline(at_part("clientSecret"), secret, "clientSecretRef", credentials, problems);
    endpoint::check_url(at_part("tokenEndpoint"), &oauth.token_endpoint, (form, credentials), problems);
    if let Some(redirect) = &oauth.redirect_uri {
        check_text(at_part("redirectUri"), redirect, credentials, problems);
    }
}
