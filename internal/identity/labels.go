package identity

import (
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
)

// Labels returns the labels that every Job of a step and its pods carry. The map
// is new on each call.
func Labels(group string, uid types.UID, step string) map[string]string {
	return map[string]string{
		LabelManagedBy:    ManagedBy,
		LabelWorkerGroup:  group,
		LabelExecutionUID: string(uid),
		LabelStep:         step,
	}
}

// Selector returns the label selector of all the Jobs and pods of a worker group.
func Selector(group string) string {
	return selector(labels.Set{LabelManagedBy: ManagedBy, LabelWorkerGroup: group})
}

// LivingSelector returns the label selector of the Jobs of a worker group that have
// no record yet.
func LivingSelector(group string) string { return Selector(group) + ",!" + LabelRecorded }

// ExecutionSelector returns the label selector of an Execution's Jobs and pods, of
// every worker group.
func ExecutionSelector(uid types.UID) string {
	return selector(labels.Set{LabelManagedBy: ManagedBy, LabelExecutionUID: string(uid)})
}

// StepSelector returns the label selector of the Jobs and pods of one step of an Execution.
func StepSelector(uid types.UID, step string) string {
	return selector(labels.Set{LabelManagedBy: ManagedBy, LabelExecutionUID: string(uid), LabelStep: step})
}

// selector renders an equality selector; labels.Set sorts its keys, so the text
// is the same each time.
func selector(s labels.Set) string { return labels.SelectorFromValidatedSet(s).String() }
