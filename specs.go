package kontinue

import (
	"errors"
	"maps"

	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue/internal/files"
	"github.com/kontinue/kontinue/internal/podtemplate"
	"github.com/kontinue/kontinue/internal/step"
	"github.com/kontinue/kontinue/pods"
)

// RestrictedPodTemplate returns a [Config].PodTemplate with which the pods of a step pass
// the Pod Security Standard "restricted": they run as user and group 65532, without
// privileges to gain and without capabilities, under the runtime's seccomp profile. What a
// step sets takes precedence. The image must run as that user.
func RestrictedPodTemplate() *corev1.PodTemplateSpec { return podtemplate.Restricted() }

func jobStep(opts *JobOptions) (*step.Spec, error) {
	s, err := newSpec(&opts.StepOptions)
	if err != nil {
		return nil, err
	}
	s.Job, s.Labels, s.Annotations = &opts.Spec, opts.ExtraLabels, opts.ExtraAnnotations
	if len(opts.PodLabels)+len(opts.PodAnnotations) > 0 {
		job := opts.Spec
		job.Template.Labels = over(job.Template.Labels, opts.PodLabels)
		job.Template.Annotations = over(job.Template.Annotations, opts.PodAnnotations)
		s.Job = &job
	}
	return s, nil
}

func podStep(opts *PodOptions) (*step.Spec, error) {
	s, err := newSpec(&opts.StepOptions)
	if err != nil {
		return nil, err
	}
	job := pods.JobSpec(opts.Spec)
	opts.Retry.replace(&job)
	job.Template.Labels, job.Template.Annotations = opts.PodLabels, opts.PodAnnotations
	s.Job, s.Labels, s.Annotations, s.SinglePod = &job, opts.ExtraLabels, opts.ExtraAnnotations, true
	s.Submitted = submittedPod{PodSpec: &opts.Spec, PodLabels: opts.PodLabels, PodAnnotations: opts.PodAnnotations}
	return s, nil
}

func scriptStep(opts *ScriptOptions) (*step.Spec, error) {
	pod, contents, err := scriptSpec(opts)
	if err != nil {
		return nil, err
	}
	mounted, err := addFiles(&pod, contents)
	if err != nil {
		return nil, err
	}
	s, err := podStep(&PodOptions{
		StepOptions:      opts.StepOptions,
		Spec:             pod,
		ExtraAnnotations: opts.ExtraAnnotations,
		ExtraLabels:      opts.ExtraLabels,
		PodAnnotations:   opts.PodAnnotations,
		PodLabels:        opts.PodLabels,
	})
	if err != nil {
		return nil, err
	}
	s.SecretData, s.SecretVolume = mounted.Data, files.Volume
	s.Submitted = newSubmittedScript(opts)
	return s, nil
}

// scriptSpec returns the pod of a script without its files, and these.
func scriptSpec(opts *ScriptOptions) (pod corev1.PodSpec, contents map[string]string, err error) {
	contents = opts.Files
	script := pods.Script{Image: opts.Image, Command: opts.Command, Shell: opts.Shell}
	pod, err = pods.ScriptSpec(script)
	if errors.Is(err, pods.ErrScriptTooLong) {
		script.Path = files.ScriptPath
		pod, err = pods.ScriptSpec(script)
		if _, taken := contents[script.Path]; taken && err == nil {
			err = errScriptPath
		}
		contents = over(contents, map[string]string{script.Path: script.Command})
	}
	if err != nil {
		return pod, nil, err
	}
	pod.ServiceAccountName, pod.ImagePullSecrets, pod.Volumes = opts.ServiceAccountName, opts.ImagePullSecrets, opts.Volumes
	c := &pod.Containers[0]
	c.Env, c.EnvFrom, c.Resources, c.VolumeMounts = opts.Env, opts.EnvFrom, opts.Resources, opts.VolumeMounts
	c.WorkingDir, c.SecurityContext, c.ImagePullPolicy = opts.WorkingDir, opts.SecurityContext, opts.ImagePullPolicy
	return pod, contents, nil
}

var errScriptPath = errors.New("Files: " + files.ScriptPath + " is the path of a Command that does not fit in an argument")

// addFiles mounts files into the container of a script.
func addFiles(pod *corev1.PodSpec, contents map[string]string) (files.Mounted, error) {
	if len(contents) == 0 {
		return files.Mounted{}, nil
	}
	c := &pod.Containers[0]
	m, err := files.Mount(contents, pod.Volumes, c.VolumeMounts)
	if err != nil {
		return m, err
	}
	pod.Volumes = append(pod.Volumes[:len(pod.Volumes):len(pod.Volumes)], m.Volume)
	c.VolumeMounts = append(c.VolumeMounts[:len(c.VolumeMounts):len(c.VolumeMounts)], m.Mounts...)
	return m, nil
}

// over returns a copy of base with the entries of own.
func over(base, own map[string]string) map[string]string {
	all := maps.Clone(base)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, own)
	return all
}

// submittedPod is what the hash of a pod covers. It is encoded like the spec alone if
// nothing else is set.
type submittedPod struct {
	*corev1.PodSpec
	PodLabels      map[string]string `json:"podLabels,omitempty"`
	PodAnnotations map[string]string `json:"podAnnotations,omitempty"`
}

// submittedScript is what the hash of a script covers, by these names: fields are only
// added, and left out when they are not set. Of the files it has digests, since JSON does
// not have all bytes.
type submittedScript struct {
	Image              string                        `json:"image"`
	Command            string                        `json:"command"`
	Shell              []string                      `json:"shell,omitempty"`
	Files              map[string]string             `json:"files,omitempty"`
	Env                []corev1.EnvVar               `json:"env,omitempty"`
	EnvFrom            []corev1.EnvFromSource        `json:"envFrom,omitempty"`
	ServiceAccountName string                        `json:"serviceAccountName,omitempty"`
	Resources          corev1.ResourceRequirements   `json:"resources,omitzero"`
	Volumes            []corev1.Volume               `json:"volumes,omitempty"`
	VolumeMounts       []corev1.VolumeMount          `json:"volumeMounts,omitempty"`
	WorkingDir         string                        `json:"workingDir,omitempty"`
	SecurityContext    *corev1.SecurityContext       `json:"securityContext,omitempty"`
	ImagePullPolicy    corev1.PullPolicy             `json:"imagePullPolicy,omitempty"`
	ImagePullSecrets   []corev1.LocalObjectReference `json:"imagePullSecrets,omitempty"`
	PodLabels          map[string]string             `json:"podLabels,omitempty"`
	PodAnnotations     map[string]string             `json:"podAnnotations,omitempty"`
}

func newSubmittedScript(o *ScriptOptions) submittedScript {
	return submittedScript{
		Image: o.Image, Command: o.Command, Shell: o.Shell, Files: files.Digests(o.Files), Env: o.Env, EnvFrom: o.EnvFrom,
		ServiceAccountName: o.ServiceAccountName, Resources: o.Resources, Volumes: o.Volumes, VolumeMounts: o.VolumeMounts,
		WorkingDir: o.WorkingDir, SecurityContext: o.SecurityContext, ImagePullPolicy: o.ImagePullPolicy,
		ImagePullSecrets: o.ImagePullSecrets, PodLabels: o.PodLabels, PodAnnotations: o.PodAnnotations,
	}
}
