// A registry of images, as a tool of the tests. A module of its own, so that nothing else is built anew because of it.
module github.com/concierge-dev/concierge/tests/controlplane/registry

go 1.26.0

tool github.com/google/go-containerregistry/cmd/registry

require github.com/google/go-containerregistry v0.22.1 // indirect
