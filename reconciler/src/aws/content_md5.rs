//! Compatible services ask for `Content-MD5` where the SDK sends only a CRC-32.

use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        interceptors::{Intercept, context::BeforeTransmitInterceptorContextMut, dyn_dispatch_hint},
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::config_bag::ConfigBag;
use base64::{Engine, engine::general_purpose::STANDARD};
use md5::{Digest, Md5};

/// Adds `Content-MD5` to every request for which the SDK computed a checksum.
#[derive(Debug)]
pub(super) struct ContentMd5;

#[dyn_dispatch_hint]
impl Intercept for ContentMd5 {
    fn name(&self) -> &'static str {
        "ContentMd5"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        if request.headers().get("x-amz-sdk-checksum-algorithm").is_none() {
            return Ok(());
        }
        if let Some(body) = request.body().bytes() {
            let digest = STANDARD.encode(Md5::digest(body));
            request.headers_mut().insert("content-md5", digest);
        }
        Ok(())
    }
}
