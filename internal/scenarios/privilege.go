package scenarios

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/identity"
)

// Right is one verb on one resource, such as get on pods/log.
type Right struct{ Group, Resource, Verb string }

// LoadRole reads the first Role in each of the files of manifests, such as
// deploy/rbac.yaml, and returns the first one with the rules of all.
func LoadRole(paths ...string) (*rbacv1.Role, error) {
	var all *rbacv1.Role
	for _, path := range paths {
		role, err := loadRole(path)
		if err != nil {
			return nil, err
		}
		if all == nil {
			all = role
		} else {
			all.Rules = append(all.Rules, role.Rules...)
		}
	}
	return all, nil
}

func loadRole(path string) (*rbacv1.Role, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	for _, document := range bytes.Split(data, []byte("\n---\n")) {
		raw, err := utilyaml.ToJSON(document)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		object, err := runtime.Decode(scheme.Codecs.UniversalDeserializer(), raw)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if role, ok := object.(*rbacv1.Role); ok {
			return role, nil
		}
	}
	return nil, fmt.Errorf("%s contains no Role", path)
}

// Rights returns the rights that a Role grants.
func Rights(role *rbacv1.Role) []Right {
	var all []Right
	for _, rule := range role.Rules {
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					all = append(all, Right{group, resource, verb})
				}
			}
		}
	}
	return all
}

// Without returns the rules of a Role, one per right, without the given right if it
// is not nil.
func Without(role *rbacv1.Role, right *Right) []rbacv1.PolicyRule {
	var rules []rbacv1.PolicyRule
	for _, r := range Rights(role) {
		if right == nil || r != *right {
			rules = append(rules, rbacv1.PolicyRule{APIGroups: []string{r.Group}, Resources: []string{r.Resource}, Verbs: []string{r.Verb}})
		}
	}
	return rules
}

// bounded is the maximum time until a call fails because of a missing right.
const bounded = 15 * time.Second

// LeastPrivilege tests that the Role grants no more than is needed. It removes each
// right in turn. Each time some call must fail within 15 seconds with an error that
// names the verb and the resource.
func LeastPrivilege(t *testing.T, backend Backend, role *rbacv1.Role) {
	t.Helper()
	for _, right := range Rights(role) {
		t.Run(right.Verb+"-"+strings.ReplaceAll(right.Resource, "/", "-"), func(t *testing.T) {
			t.Parallel()
			backend.Run(t, nil, true, func(t *testing.T, c Cluster) {
				if err := right.check(t, c); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func (right Right) check(t *testing.T, c Cluster) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	namespace := "without-" + right.Verb + "-" + strings.ReplaceAll(right.Resource, "/", "-")
	if err := c.CreateNamespace(ctx, t, namespace, nil); err != nil {
		return err
	}
	config, err := c.Worker(ctx, namespace, &right)
	if err != nil {
		return err
	}
	client, err := kontinue.New(config)
	if err != nil {
		return err
	}
	defer func() {
		if err := client.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	execution, err := newExecution(ctx, c.Admin(), namespace)
	if err != nil {
		return err
	}
	for _, use := range uses {
		began := time.Now()
		err := use.call(ctx, client, execution, c)
		if err == nil {
			continue
		}
		t.Logf("%s: %v", use.name, err)
		text := err.Error()
		if !strings.Contains(text, `"`+right.Verb+`"`) && !strings.Contains(text, right.Verb+" ") || !strings.Contains(text, right.Resource) {
			return fmt.Errorf("%s without %s on %s: the error does not name them: %w", use.name, right.Verb, right.Resource, err)
		}
		if took := time.Since(began); took > bounded {
			return fmt.Errorf("%s without %s on %s took %s to fail", use.name, right.Verb, right.Resource, took)
		}
		return nil
	}
	return fmt.Errorf("no call fails without %s on %s: the Role need not grant it", right.Verb, right.Resource)
}

// use is an operation of a worker.
type use struct {
	name string
	call func(ctx context.Context, client *kontinue.Client, e kontinue.Execution, c Cluster) error
}

// uses need every right of the Role between them. Each depends on the previous ones.
var uses = []use{
	{"start", func(ctx context.Context, client *kontinue.Client, _ kontinue.Execution, _ Cluster) error {
		return client.Start(ctx)
	}},
	{"run a script and read its log", func(ctx context.Context, client *kontinue.Client, e kontinue.Execution, c Cluster) error {
		_, err := runScript(ctx, client, e, c)
		return err
	}},
	{"resume with another spec", func(ctx context.Context, client *kontinue.Client, e kontinue.Execution, c Cluster) error {
		for _, command := range []string{"true", "true again"} {
			ktx, err := client.NewExecutionContext(ctx, e)
			if err != nil {
				return err
			}
			_, err = kontinue.RunScript(ktx, &kontinue.ScriptOptions{
				StepOptions: kontinue.StepOptions{Name: "changed"}, Image: c.Image(), Command: command,
			})
			if err != nil {
				return err
			}
		}
		return nil
	}},
	{"replace a running Job in the next attempt", func(ctx context.Context, client *kontinue.Client, e kontinue.Execution, c Cluster) error {
		e.ChildPolicy = kontinue.ChildPolicyRetryAll
		for attempt := range 2 {
			e.Attempts = attempt
			if err := cancelWait(ctx, client, e, c); err != nil {
				return err
			}
		}
		return nil
	}},
	{"finish", func(ctx context.Context, client *kontinue.Client, e kontinue.Execution, _ Cluster) error {
		e.TTL = &metav1.Duration{Duration: time.Hour}
		return client.Finish(ctx, e)
	}},
}

// cancelWait runs a step with an unschedulable pod and cancels the wait once the Job of
// the attempt exists.
func cancelWait(ctx context.Context, client *kontinue.Client, e kontinue.Execution, c Cluster) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ktx, err := client.NewExecutionContext(ctx, e)
	if err != nil {
		return err
	}
	seen := make(chan error, 1)
	go func() {
		defer cancel()
		seen <- eventually(ctx, func(ctx context.Context) (bool, error) {
			list, err := c.Admin().BatchV1().Jobs(ktx.Execution().Namespace).List(ctx, metav1.ListOptions{})
			if err != nil {
				return false, err
			}
			for _, job := range list.Items {
				if job.Annotations[identity.AnnotationAttempt] == strconv.Itoa(e.Attempts) && job.Labels[identity.LabelStep] == "unschedulable" {
					return true, nil
				}
			}
			return false, nil
		})
	}()
	options := &kontinue.PodOptions{StepOptions: kontinue.StepOptions{Name: "unschedulable"}, Spec: pod(container("main", "true"))}
	options.Spec.Containers[0].Image = c.Image()
	options.Spec.NodeSelector = map[string]string{"kontinue.cloud/node": "none"}
	_, err = kontinue.RunPod(ktx, options)
	cancel()
	if <-seen == nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

func runScript(ctx context.Context, client *kontinue.Client, e kontinue.Execution, c Cluster) (*kontinue.PodResult, error) {
	ktx, err := client.NewExecutionContext(ctx, e)
	if err != nil {
		return nil, err
	}
	result, err := kontinue.RunScript(ktx, &kontinue.ScriptOptions{Image: c.Image(), Command: "echo done"})
	if err != nil {
		return nil, err
	}
	if _, err := result.Logs(ktx, nil); err != nil {
		return nil, err
	}
	if !result.Succeeded() {
		return nil, errors.New(result.Message)
	}
	return result, nil
}
