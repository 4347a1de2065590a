package main

import (
	"context"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

const storeLabel = "petstore.example.com/store"

var (
	alphabet = regexp.MustCompile(`^[A-Za-z0-9 ._-]*$`)
	version  = regexp.MustCompile(`^v[0-9]+$`)
	spec     = field.NewPath("spec")
)

// World is what the rules look up: maps in memory, as an indexed cache would hold them.
type World struct {
	stores map[string]*PetStore // by namespace/name
	pets   map[string]int       // how many belong to a store, by namespace/name
	ids    map[int64]string     // who holds an id
}

func checkText(path *field.Path, text string, min, max int) (problems field.ErrorList) {
	if length := utf8.RuneCountInString(text); length < min || length > max {
		problems = append(problems, field.Invalid(path, text, fmt.Sprintf("must have %d to %d characters", min, max)))
	}
	if !alphabet.MatchString(text) {
		problems = append(problems, field.Invalid(path, text, "use only letters, digits, spaces, '-', '_' and '.'"))
	}
	return problems
}

func result(kind, name string, problems field.ErrorList) error {
	if len(problems) == 0 {
		return nil
	}
	return apierrors.NewInvalid(schema.GroupKind{Group: group, Kind: kind}, name, problems)
}

type petValidator struct{ world *World }

func (v *petValidator) ValidateCreate(_ context.Context, pet *Pet) (admission.Warnings, error) {
	return nil, result("Pet", pet.Name, v.check(nil, pet))
}

func (v *petValidator) ValidateUpdate(_ context.Context, old, pet *Pet) (admission.Warnings, error) {
	return nil, result("Pet", pet.Name, v.check(old, pet))
}

func (v *petValidator) ValidateDelete(context.Context, *Pet) (admission.Warnings, error) {
	return nil, nil
}

func (v *petValidator) check(old, pet *Pet) field.ErrorList {
	problems := checkText(spec.Child("name"), strings.TrimSpace(pet.Spec.Name), 1, 255)
	if pet.Spec.ID < 1 {
		problems = append(problems, field.Invalid(spec.Child("id"), pet.Spec.ID, "must be at least 1"))
	}
	if old != nil && old.Spec.ID != pet.Spec.ID {
		problems = append(problems, field.Forbidden(spec.Child("id"), "is immutable"))
	}
	if pet.Spec.Tag != nil {
		problems = append(problems, checkText(spec.Child("tag"), strings.TrimSpace(*pet.Spec.Tag), 0, 100)...)
	}
	if holder, taken := v.world.ids[pet.Spec.ID]; taken && holder != pet.Namespace+"/"+pet.Name {
		problems = append(problems, field.Duplicate(spec.Child("id"), pet.Spec.ID))
	}
	return append(problems, v.checkStore(old, pet)...)
}

func storeOf(pet *Pet) string {
	if name, found := pet.Labels[storeLabel]; found {
		return name
	}
	if pet.Spec.StoreRef != nil {
		return pet.Spec.StoreRef.Name
	}
	return ""
}

func (v *petValidator) checkStore(old, pet *Pet) (problems field.ErrorList) {
	name := storeOf(pet)
	if name == "" {
		return nil
	}
	key := pet.Namespace + "/" + name
	store, found := v.world.stores[key]
	if !found {
		return field.ErrorList{field.NotFound(spec.Child("storeRef", "name"), name)}
	}
	config := store.Spec.Config
	if config == nil {
		return nil
	}
	if pet.Spec.Tag == nil {
		if config.RequireTag != nil && *config.RequireTag {
			problems = append(problems, field.Required(spec.Child("tag"), "the store requires one"))
		}
	} else if len(config.AllowedTags) > 0 && !slices.Contains(config.AllowedTags, *pet.Spec.Tag) {
		problems = append(problems, field.NotSupported(spec.Child("tag"), *pet.Spec.Tag, config.AllowedTags))
	}
	joins := old == nil || storeOf(old) != name
	if joins && config.MaxPets != nil && int64(v.world.pets[key]) >= *config.MaxPets {
		problems = append(problems, field.TooMany(spec.Child("storeRef"), v.world.pets[key], int(*config.MaxPets)))
	}
	return problems
}

type storeValidator struct{ world *World }

func (v *storeValidator) ValidateCreate(_ context.Context, store *PetStore) (admission.Warnings, error) {
	return nil, result("PetStore", store.Name, v.check(store))
}

func (v *storeValidator) ValidateUpdate(_ context.Context, _, store *PetStore) (warnings admission.Warnings, err error) {
	count := v.world.pets[store.Namespace+"/"+store.Name]
	if config := store.Spec.Config; config != nil && config.MaxPets != nil && int64(count) > *config.MaxPets {
		warnings = append(warnings, fmt.Sprintf("spec.config.maxPets: is below the %d pets that the store holds", count))
	}
	return warnings, result("PetStore", store.Name, v.check(store))
}

func (v *storeValidator) ValidateDelete(_ context.Context, store *PetStore) (admission.Warnings, error) {
	if count := v.world.pets[store.Namespace+"/"+store.Name]; count > 0 {
		return nil, fmt.Errorf("the PetStore is in use by %d pets", count)
	}
	return nil, nil
}

func (v *storeValidator) check(store *PetStore) field.ErrorList {
	problems := checkText(spec.Child("name"), strings.TrimSpace(store.Spec.Name), 1, 255)
	if text := store.Spec.Description; text != nil && utf8.RuneCountInString(*text) > 1000 {
		problems = append(problems, field.TooLong(spec.Child("description"), "", 1000))
	}
	problems = append(problems, checkConfig(store.Spec.Config)...)
	problems = append(problems, checkEndpoints(store.Spec.Endpoints)...)
	return append(problems, checkSecurity(store.Spec.Security)...)
}

func checkConfig(config *Config) (problems field.ErrorList) {
	if config == nil {
		return nil
	}
	path := spec.Child("config")
	inRange := func(name string, value *int64, max int64) {
		if value != nil && (*value < 1 || *value > max) {
			problems = append(problems, field.Invalid(path.Child(name), *value, fmt.Sprintf("must be from 1 to %d", max)))
		}
	}
	inRange("maxPets", config.MaxPets, 10000)
	inRange("defaultLimit", config.DefaultLimit, 100)
	seen := make(map[string]struct{}, len(config.AllowedTags))
	for index, tag := range config.AllowedTags {
		tag = strings.TrimSpace(tag)
		problems = append(problems, checkText(path.Child("allowedTags").Index(index), tag, 1, 100)...)
		if _, twice := seen[tag]; twice {
			problems = append(problems, field.Duplicate(path.Child("allowedTags").Index(index), tag))
		}
		seen[tag] = struct{}{}
	}
	return problems
}

func checkEndpoints(endpoints *Endpoints) (problems field.ErrorList) {
	if endpoints == nil {
		return nil
	}
	path := spec.Child("endpoints")
	if endpoints.BaseURL != nil {
		base, err := url.Parse(*endpoints.BaseURL)
		if err != nil || (base.Scheme != "http" && base.Scheme != "https") || base.Host == "" || base.User != nil ||
			base.RawQuery != "" || base.Fragment != "" {
			problems = append(problems, field.Invalid(path.Child("baseUrl"), "", "must be an absolute http or https URL"))
		}
	}
	if endpoints.Version != nil && !version.MatchString(*endpoints.Version) {
		problems = append(problems, field.Invalid(path.Child("version"), *endpoints.Version, "use 'v' and digits"))
	}
	return problems
}

func checkSecurity(security *Security) (problems field.ErrorList) {
	if security == nil {
		return nil
	}
	path := spec.Child("security")
	authenticated := security.RequireAuthentication == nil || *security.RequireAuthentication
	for index, origin := range security.AllowedOrigins {
		if origin == "*" {
			if authenticated {
				problems = append(problems, field.Invalid(path.Child("allowedOrigins").Index(index), origin, "list the origins"))
			}
			continue
		}
		parsed, err := url.Parse(origin)
		if err != nil || (parsed.Scheme != "http" && parsed.Scheme != "https") || parsed.Host == "" || parsed.Path != "" ||
			parsed.User != nil {
			problems = append(problems, field.Invalid(path.Child("allowedOrigins").Index(index), origin, "is not an origin"))
		}
	}
	if ref := security.APIKeySecretRef; ref != nil && (ref.Name == "" || ref.Key == "") {
		problems = append(problems, field.Invalid(path.Child("apiKeySecretRef"), "", "names no key of a Secret"))
	}
	return problems
}
