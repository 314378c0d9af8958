package api

import (
	"container/list"
	"net/http"
	"sync"
	"time"
)

// large is from how many bytes on a write of an answer is looked after. Less than that
// the kernel takes at once.
const large = 16 << 10

// answers are those that wait for their clients to read them. Together they hold no more
// than a bound: for each one too many the oldest is cut off, which has not been read for
// the longest. Safe for concurrent use.
type answers struct {
	most int

	mu      sync.Mutex
	held    int       // guarded by mu: bytes
	waiting list.List // guarded by mu: *writing, oldest first
}

// writing is a write that goes on.
type writing struct {
	size  int
	to    *http.ResponseController
	place *list.Element // nil once it is cut off; guarded by the answers' mu
}

func (a *answers) begin(w *writing) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.held += w.size
	w.place = a.waiting.PushBack(w)
	for a.held > a.most && a.waiting.Front() != w.place {
		oldest, _ := a.waiting.Front().Value.(*writing) // it has no others
		a.remove(oldest)
		_ = oldest.to.SetWriteDeadline(time.Unix(1, 0)) // as it could be set before
	}
}

func (a *answers) end(w *writing) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.remove(w)
}

// remove is called with mu held.
func (a *answers) remove(w *writing) {
	if w.place != nil {
		a.waiting.Remove(w.place)
		a.held -= w.size
		w.place = nil
	}
}

// answerWriter is a ResponseWriter whose large writes are looked after.
type answerWriter struct {
	http.ResponseWriter

	all *answers
}

// Unwrap is for http.ResponseController.
func (w *answerWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Write implements io.Writer.
func (w *answerWriter) Write(p []byte) (int, error) {
	if len(p) >= large {
		one := &writing{size: len(p), to: http.NewResponseController(w.ResponseWriter)}
		w.all.begin(one)
		defer w.all.end(one)
	}
	return w.ResponseWriter.Write(p) //nolint:wrapcheck // it is that writer's
}
