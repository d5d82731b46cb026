package step

// markInjected notes which containers the cluster has added to those that were submitted,
// where the record or the Job's template has not said so.
func (o *Outcome) markInjected(submitted []string) {
	for i := range o.Pods {
		o.Pods[i] = o.Pods[i].MarkInjected(submitted)
	}
}
