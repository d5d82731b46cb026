package dispatch_test

import (
	"fmt"

	"github.com/kontinue/kontinue/dispatch"
)

// A waiter counts the events of its object and is woken by the third.
func Example() {
	d := dispatch.New[string]()
	defer d.Close(nil)

	count, woken := 0, make(chan struct{}, 1)
	future, err := d.Register(func(string) (wake bool) {
		count++
		return count == 3
	}, func() { woken <- struct{}{} })
	if err != nil {
		fmt.Println(err)
		return
	}
	defer future.Cancel()
	if err := future.Bind("0d1f6a5c"); err != nil { // the UID, once the object is created
		fmt.Println(err)
		return
	}

	for _, event := range []string{"created", "running", "finished"} {
		d.Dispatch("0d1f6a5c", event)
	}
	<-woken
	future.Do(func() { fmt.Println("woken after", count, "events") })
	// Output: woken after 3 events
}
