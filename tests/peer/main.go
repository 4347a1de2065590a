// Command peer is an admission webhook as most are written: controller-runtime, generated types, a typed validator. It has
// the rules of Concierge's Pet and PetStore. It serves the certificate tls.crt and tls.key of a folder on a free port.
package main

import (
	"fmt"
	"net"
	"os"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

const group = "petstore.example.com"

// What the load refers to: a store with room, which allows two tags.
func world() *World {
	most := int64(10_000)
	shop := &PetStore{Spec: PetStoreSpec{Name: "Shop", Config: &Config{MaxPets: &most, AllowedTags: []string{"cat", "dog"}}}}
	return &World{
		stores: map[string]*PetStore{"bench/shop": shop},
		pets:   map[string]int{"bench/shop": 1},
		ids:    map[int64]string{4711: "bench/rex"},
	}
}

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(folder string) error {
	ctrl.SetLogger(klog.Background())
	scheme := runtime.NewScheme()
	version := schema.GroupVersion{Group: group, Version: "v1"}
	scheme.AddKnownTypes(version, &Pet{}, &PetStore{})
	metav1.AddToGroupVersion(scheme, version)

	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	port := free.Addr().(*net.TCPAddr).Port
	free.Close()
	server := webhook.NewServer(webhook.Options{Host: "127.0.0.1", Port: port, CertDir: folder})
	known := world()
	server.Register("/pet", admission.WithValidator[*Pet](scheme, &petValidator{known}))
	server.Register("/petstore", admission.WithValidator[*PetStore](scheme, &storeValidator{known}))
	go announce(fmt.Sprintf("127.0.0.1:%d", port))
	return server.Start(ctrl.SetupSignalHandler())
}

// announce says where the server listens as Concierge's programs do, once it does.
func announce(address string) {
	for {
		if stream, err := net.Dial("tcp", address); err == nil {
			stream.Close()
			fmt.Printf("{\"message\":\"serving\",\"address\":%q}\n", address)
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}
