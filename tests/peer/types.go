package main

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

type Pet struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              PetSpec `json:"spec"`
	Status            Status  `json:"status,omitempty"`
}

type PetSpec struct {
	ID       int64     `json:"id"`
	Name     string    `json:"name"`
	Tag      *string   `json:"tag,omitempty"`
	StoreRef *StoreRef `json:"storeRef,omitempty"`
}

type StoreRef struct {
	Name string `json:"name"`
}

type PetStore struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              PetStoreSpec `json:"spec"`
	Status            Status       `json:"status,omitempty"`
}

type PetStoreSpec struct {
	Name        string     `json:"name"`
	Description *string    `json:"description,omitempty"`
	Config      *Config    `json:"config,omitempty"`
	Endpoints   *Endpoints `json:"endpoints,omitempty"`
	Security    *Security  `json:"security,omitempty"`
}

type Config struct {
	MaxPets          *int64   `json:"maxPets,omitempty"`
	DefaultLimit     *int64   `json:"defaultLimit,omitempty"`
	AllowedTags      []string `json:"allowedTags,omitempty"`
	RequireTag       *bool    `json:"requireTag,omitempty"`
	EnablePagination *bool    `json:"enablePagination,omitempty"`
}

type Endpoints struct {
	BaseURL *string `json:"baseUrl,omitempty"`
	Version *string `json:"version,omitempty"`
}

type Security struct {
	RequireAuthentication *bool         `json:"requireAuthentication,omitempty"`
	AllowedOrigins        []string      `json:"allowedOrigins,omitempty"`
	APIKeySecretRef       *SecretKeyRef `json:"apiKeySecretRef,omitempty"`
}

type SecretKeyRef struct {
	Name string `json:"name"`
	Key  string `json:"key"`
}

type Status struct {
	Conditions         []metav1.Condition `json:"conditions,omitempty"`
	ObservedGeneration int64              `json:"observedGeneration,omitempty"`
	Phase              string             `json:"phase,omitempty"`
}

// The scheme wants these; no request calls them.

func (p *Pet) DeepCopyObject() runtime.Object {
	c := *p
	p.ObjectMeta.DeepCopyInto(&c.ObjectMeta)
	return &c
}

func (s *PetStore) DeepCopyObject() runtime.Object {
	c := *s
	s.ObjectMeta.DeepCopyInto(&c.ObjectMeta)
	return &c
}
