package apiserver

import (
	"errors"
	"fmt"
	"io"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kontinue/kontinue/internal/fakecluster/registry"
)

// LogSource supplies the log of one container of a pod that exists and has been
// scheduled. It applies the options (previous, follow, tailLines, ...) itself. The
// reader's Close must unblock a Read; it is called at the latest when the request's
// context ends. An API status error reaches the client as it is, any other as a 500.
type LogSource func(namespace, pod, container string, opts *corev1.PodLogOptions) (io.ReadCloser, error)

// SetLogSource installs the source of pod logs. Without one, logs are empty.
func (s *Server) SetLogSource(source LogSource) {
	if source == nil {
		s.logSource.Store(nil)
		return
	}
	s.logSource.Store(&source)
}

// openLog checks what the API server and the kubelet check, with the same messages,
// and then opens the source.
func (s *Server) openLog(c call, opts *corev1.PodLogOptions) (io.ReadCloser, error) {
	pod, _ := s.load(pods, c.ns, c.name).(*corev1.Pod)
	if pod == nil {
		return nil, apierrors.NewNotFound(pods.groupResource(), c.name)
	}
	container, err := logContainer(pod, opts.Container)
	if err != nil {
		return nil, err
	}
	empty := io.NopCloser(strings.NewReader(""))
	if pod.Spec.NodeName == "" {
		return empty, nil
	}
	if err := logReady(pod, container, opts.Previous); err != nil {
		return nil, err
	}
	source := s.logSource.Load()
	if source == nil {
		return empty, nil
	}
	body, err := (*source)(c.ns, c.name, container, opts)
	if err != nil {
		var status apierrors.APIStatus
		if !errors.As(err, &status) {
			err = apierrors.NewInternalError(err)
		}
		return nil, err
	}
	return body, nil
}

func logContainer(pod *corev1.Pod, asked string) (string, error) {
	if asked == "" {
		if len(pod.Spec.Containers) == 1 {
			return pod.Spec.Containers[0].Name, nil
		}
		var names []string
		registry.EachContainer(&pod.Spec, func(c *corev1.Container) { names = append(names, c.Name) })
		return "", apierrors.NewBadRequest(fmt.Sprintf("a container name must be specified for pod %s, choose one of: %s", pod.Name, names))
	}
	found := false
	registry.EachContainer(&pod.Spec, func(c *corev1.Container) { found = found || c.Name == asked })
	if !found {
		return "", apierrors.NewBadRequest(fmt.Sprintf("container %s is not valid for pod %s", asked, pod.Name))
	}
	return asked, nil
}

// logReady is the kubelet's validateContainerLogStatus: a container that has never
// run has no log.
func logReady(pod *corev1.Pod, name string, previous bool) error {
	for _, list := range [][]corev1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses} {
		for _, st := range list {
			if st.Name != name {
				continue
			}
			last := st.LastTerminationState.Terminated
			switch waiting := st.State.Waiting; {
			case previous && last == nil:
				return apierrors.NewBadRequest(fmt.Sprintf("previous terminated container %q in pod %q not found", name, pod.Name))
			case waiting == nil || last != nil:
				return nil
			case waiting.Reason == "ImagePullBackOff" || waiting.Reason == "ErrImagePull":
				return apierrors.NewBadRequest(fmt.Sprintf("container %q in pod %q is waiting to start: trying and failing to pull image", name, pod.Name))
			default:
				return apierrors.NewBadRequest(fmt.Sprintf("container %q in pod %q is waiting to start: %s", name, pod.Name, waiting.Reason))
			}
		}
	}
	return apierrors.NewBadRequest(fmt.Sprintf("container %q in pod %q is not available", name, pod.Name))
}
