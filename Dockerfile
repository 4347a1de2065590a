# Both programs and nothing else. `make image` makes the same without Docker: it reads the last stage.
#   docker buildx build --platform linux/amd64,linux/arm64 --build-arg VERSION=0.1.0 \
#     --build-arg REVISION="$(git rev-parse HEAD)" \
#     --build-arg CREATED="$(TZ=UTC git log -1 --date=format-local:%Y-%m-%dT%H:%M:%SZ --format=%cd)" \
#     --tag REGISTRY/concierge:0.1.0 --push .
FROM --platform=$BUILDPLATFORM rust:1.95-bookworm AS build
ARG TARGETARCH
ARG SOURCE_DATE_EPOCH
RUN apt-get update && apt-get install --yes --no-install-recommends python3-venv
WORKDIR /concierge
COPY . .
RUN cargo run --locked --bin release -- root --arch "$TARGETARCH" --out /image

FROM scratch
ARG VERSION
ARG REVISION
ARG CREATED
COPY --from=build /image/ /
ENV PATH=/usr/local/bin SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
LABEL org.opencontainers.image.title="Concierge" \
    org.opencontainers.image.description="Admission webhook and reconciler for custom resources" \
    org.opencontainers.image.url="https://github.com/concierge-dev/concierge" \
    org.opencontainers.image.source="https://github.com/concierge-dev/concierge" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.version="$VERSION" \
    org.opencontainers.image.revision="$REVISION" \
    org.opencontainers.image.created="$CREATED"
USER 65532:65532
# Admission reviews; probes and metrics of the webhook; those of the reconciler.
EXPOSE 9443 8080 8081
ENTRYPOINT ["concierge-webhook"]
