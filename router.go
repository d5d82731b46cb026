package kontinue

import (
	"github.com/kontinue/kontinue/dispatch"
	"github.com/kontinue/kontinue/watch"
)

// event is one change that the watch brought: of a Job or of a Pod.
type event struct {
	job     *watch.Job
	pod     *watch.Pod
	deleted bool
}

// router hands the watch's changes to the futures of the Jobs they concern.
type router struct{ dispatcher *dispatch.Dispatcher[event] }

func (r router) JobChanged(j *watch.Job) { r.dispatcher.Dispatch(j.UID, event{job: j}) }
func (r router) JobDeleted(j *watch.Job) { r.dispatcher.Dispatch(j.UID, event{job: j, deleted: true}) }
func (r router) PodChanged(p *watch.Pod) { r.dispatcher.Dispatch(p.JobUID, event{pod: p}) }
func (r router) PodDeleted(p *watch.Pod) {
	r.dispatcher.Dispatch(p.JobUID, event{pod: p, deleted: true})
}
