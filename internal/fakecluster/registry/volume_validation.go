package registry

import (
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// validateVolumes checks the names of the volumes, and the sources of those that show
// objects of the cluster. It returns the names.
func validateVolumes(volumes []corev1.Volume, at *field.Path) (map[string]bool, field.ErrorList) {
	var errs field.ErrorList
	names := map[string]bool{}
	for i := range volumes {
		v := &volumes[i]
		p := at.Index(i).Child("name")
		switch {
		case v.Name == "":
			errs = append(errs, field.Required(p, ""))
		case names[v.Name]:
			errs = append(errs, field.Duplicate(p, v.Name))
		default:
			errs = append(errs, invalidIf(p, v.Name, validation.IsDNS1123Label(v.Name))...)
		}
		names[v.Name] = true
		errs = append(errs, validateVolumeSource(&v.VolumeSource, at.Index(i))...)
	}
	return names, errs
}

func validateVolumeSource(v *corev1.VolumeSource, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	switch {
	case v.Secret != nil:
		at = at.Child("secret")
		errs = append(requireName(v.Secret.SecretName, at.Child("secretName")), validateMode(v.Secret.DefaultMode, at.Child("defaultMode"))...)
		errs = append(errs, validateItems(v.Secret.Items, at.Child("items"))...)
	case v.ConfigMap != nil:
		at = at.Child("configMap")
		errs = append(requireName(v.ConfigMap.Name, at.Child("name")), validateMode(v.ConfigMap.DefaultMode, at.Child("defaultMode"))...)
		errs = append(errs, validateItems(v.ConfigMap.Items, at.Child("items"))...)
	case v.PersistentVolumeClaim != nil:
		errs = requireName(v.PersistentVolumeClaim.ClaimName, at.Child("persistentVolumeClaim", "claimName"))
	case v.Projected != nil:
		at = at.Child("projected")
		errs = validateMode(v.Projected.DefaultMode, at.Child("defaultMode"))
		for i, source := range v.Projected.Sources {
			p := at.Child("sources").Index(i)
			if s := source.Secret; s != nil {
				errs = append(errs, requireName(s.Name, p.Child("secret", "name"))...)
				errs = append(errs, validateItems(s.Items, p.Child("secret", "items"))...)
			}
			if s := source.ConfigMap; s != nil {
				errs = append(errs, requireName(s.Name, p.Child("configMap", "name"))...)
				errs = append(errs, validateItems(s.Items, p.Child("configMap", "items"))...)
			}
		}
	}
	return errs
}

func requireName(name string, at *field.Path) field.ErrorList {
	if name == "" {
		return field.ErrorList{field.Required(at, "")}
	}
	return nil
}

func validateMode(mode *int32, at *field.Path) field.ErrorList {
	if mode != nil && (*mode < 0 || *mode > 0o777) {
		return field.ErrorList{field.Invalid(at, *mode, "must be a number between 0 and 0777 (octal), both inclusive")}
	}
	return nil
}

func validateItems(items []corev1.KeyToPath, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i, item := range items {
		p := at.Index(i)
		errs = append(errs, requireName(item.Key, p.Child("key"))...)
		errs = append(errs, requireName(item.Path, p.Child("path"))...)
		errs = append(errs, validateInside(item.Path, p.Child("path"))...)
		// Names that begin so are those of the kubelet.
		if strings.HasPrefix(item.Path, "..") && !strings.HasPrefix(item.Path, "../") {
			errs = append(errs, field.Invalid(p.Child("path"), item.Path, "must not start with '..'"))
		}
		errs = append(errs, validateMode(item.Mode, p.Child("mode"))...)
	}
	return errs
}

// validateInside checks a path below a directory.
func validateInside(name string, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	if path.IsAbs(name) {
		errs = append(errs, field.Invalid(at, name, "must be a relative path"))
	}
	if slices.Contains(strings.Split(name, "/"), "..") {
		errs = append(errs, field.Invalid(at, name, "must not contain '..'"))
	}
	return errs
}

func validateMounts(mounts []corev1.VolumeMount, volumes map[string]bool, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	paths := map[string]bool{}
	for i, m := range mounts {
		p := at.Index(i)
		if m.Name == "" {
			errs = append(errs, field.Required(p.Child("name"), ""))
		}
		if !volumes[m.Name] {
			errs = append(errs, field.NotFound(p.Child("name"), m.Name))
		}
		if m.MountPath == "" {
			errs = append(errs, field.Required(p.Child("mountPath"), ""))
		}
		if paths[m.MountPath] {
			errs = append(errs, field.Invalid(p.Child("mountPath"), m.MountPath, "must be unique"))
		}
		paths[m.MountPath] = true
		errs = append(errs, validateInside(m.SubPath, at.Child("subPath"))...)
		if m.SubPathExpr != "" {
			if m.SubPath != "" {
				errs = append(errs, field.Invalid(p.Child("subPathExpr"), m.SubPathExpr, "subPathExpr and subPath are mutually exclusive"))
			}
			errs = append(errs, validateInside(m.SubPathExpr, at.Child("subPathExpr"))...)
		}
	}
	return errs
}
