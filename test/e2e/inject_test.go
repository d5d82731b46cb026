package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Inject creates a MutatingAdmissionPolicy, which needs no server.
func (c *realCluster) Inject(ctx context.Context, t *testing.T, namespace string, container corev1.Container) error {
	t.Helper()
	list := "containers"
	if container.RestartPolicy != nil {
		list = "initContainers"
	}
	text := func(s string) string {
		quoted, _ := json.Marshal(s) //nolint:errchkjson // a string
		return string(quoted)
	}
	value := fmt.Sprintf("Object.spec.%s{name: %s, image: %s, command: [%s, %s, %s]", list, text(container.Name), text(container.Image),
		text(container.Command[0]), text(container.Command[1]), text(container.Command[2]))
	if container.RestartPolicy != nil {
		value += ", restartPolicy: " + text(string(*container.RestartPolicy))
	}
	add := fmt.Sprintf(`JSONPatch{op: "add", path: "/spec/%s/0", value: %s}}`, list, value)
	patch := "[" + add + "]"
	if list == "initContainers" {
		// The list comes first and empty: of a list of objects the API server of 1.36 makes a panic.
		patch = fmt.Sprintf(`has(object.spec.initContainers) ? [%s] : [JSONPatch{op: "add", path: "/spec/initContainers", value: []}, %s]`, add, add)
	}
	policies := c.admin.AdmissionregistrationV1()
	meta := metav1.ObjectMeta{Name: namespace}
	t.Cleanup(func() {
		for _, del := range []func(context.Context, string, metav1.DeleteOptions) error{
			policies.MutatingAdmissionPolicyBindings().Delete, policies.MutatingAdmissionPolicies().Delete,
		} {
			if err := del(context.Background(), namespace, metav1.DeleteOptions{}); err != nil {
				t.Error(err)
			}
		}
	})
	_, err := policies.MutatingAdmissionPolicies().Create(ctx, &admissionregistrationv1.MutatingAdmissionPolicy{
		ObjectMeta: meta,
		Spec: admissionregistrationv1.MutatingAdmissionPolicySpec{
			MatchConstraints: &admissionregistrationv1.MatchResources{
				NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: namespace}},
				ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{{RuleWithOperations: admissionregistrationv1.RuleWithOperations{
					Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
					Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}},
				}}},
			},
			FailurePolicy:      new(admissionregistrationv1.Fail),
			ReinvocationPolicy: admissionregistrationv1.NeverReinvocationPolicy,
			Mutations: []admissionregistrationv1.Mutation{{
				PatchType: admissionregistrationv1.PatchTypeJSONPatch,
				JSONPatch: &admissionregistrationv1.JSONPatch{Expression: patch},
			}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	_, err = policies.MutatingAdmissionPolicyBindings().Create(ctx, &admissionregistrationv1.MutatingAdmissionPolicyBinding{
		ObjectMeta: meta,
		Spec:       admissionregistrationv1.MutatingAdmissionPolicyBindingSpec{PolicyName: namespace},
	}, metav1.CreateOptions{})
	return err
}
