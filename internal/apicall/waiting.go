package apicall

import "context"

type waitingKey struct{}

// WithWaiting returns a context by which [Waiting] calls around with what it has to wait
// for: a caller that is one of a bounded number gives up its place meanwhile.
func WithWaiting(ctx context.Context, around func(wait func())) context.Context {
	return context.WithValue(ctx, waitingKey{}, around)
}

// Waiting calls wait, by way of the function that [WithWaiting] has put into the context
// if there is one.
func Waiting(ctx context.Context, wait func()) {
	if around, ok := ctx.Value(waitingKey{}).(func(func())); ok {
		around(wait)
		return
	}
	wait()
}
