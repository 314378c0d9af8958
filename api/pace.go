package api

import (
	"fmt"
	"math"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

// maxPaces bounds the callers whose writes are remembered. Past it, who wrote
// longest ago is forgotten, and may write a second's worth at once.
const maxPaces = 10_000

// pace bounds how many updates a second each caller may write: by a bucket that holds
// a second's worth. A write may begin while there is anything in it, and takes all
// that it needs: a batch larger than a bucket leaves a debt, which has to be paid by
// time before the next. A nil pace bounds nothing. Safe for concurrent use.
type pace struct {
	perSecond int
	buckets   *lru.Cache[string, *rate.Limiter] // by caller
}

func newPace(perSecond int) *pace {
	if perSecond <= 0 {
		return nil
	}
	buckets, err := lru.New[string, *rate.Limiter](maxPaces)
	if err != nil {
		panic(err) // it is, of sizes below 1
	}
	return &pace{perSecond, buckets}
}

func (p *pace) of(caller string) *rate.Limiter {
	if bucket, ok := p.buckets.Get(caller); ok {
		return bucket
	}
	bucket := rate.NewLimiter(rate.Limit(p.perSecond), p.perSecond)
	if other, ok, _ := p.buckets.PeekOrAdd(caller, bucket); ok {
		return other
	}
	return bucket
}

// begin takes one update's worth, or returns how long it takes until there is one.
func (p *pace) begin(caller string) (wait time.Duration) {
	if p == nil {
		return 0
	}
	now, bucket := time.Now(), p.of(caller)
	if bucket.AllowN(now, 1) {
		return 0
	}
	lacks := 1 - bucket.TokensAt(now)
	return time.Duration(lacks / float64(p.perSecond) * float64(time.Second))
}

// also takes more for a write that has begun.
func (p *pace) also(caller string, updates int) {
	if p == nil {
		return
	}
	now, bucket := time.Now(), p.of(caller)
	for ; updates > 0; updates -= p.perSecond { // it gives no more than it can hold
		bucket.ReserveN(now, min(updates, p.perSecond))
	}
}

// keepPace refuses a write of a caller who writes too fast, before its body is read.
// All that change something count, whether they succeed or not and repetitions too,
// as one update; handlers of several count the others.
func (a *api) keepPace(ctx huma.Context, next func(huma.Context)) {
	may, _ := ctx.Operation().Metadata[accessKey].(access)
	if ctx.Method() == http.MethodGet || ctx.Method() == http.MethodHead || may.unpaced {
		next(ctx)
		return
	}
	wait := a.pace.begin(callerOf(ctx.Context()).UserID)
	if wait == 0 {
		next(ctx)
		return
	}
	seconds := max(int(math.Ceil(wait.Seconds())), 1)
	ctx.SetHeader("Retry-After", fmt.Sprint(seconds))
	p := problemOf(http.StatusTooManyRequests, "too_many_writes", fmt.Sprintf(
		"this caller writes more than %d updates a second (--write-rate); nothing was changed, try again after %d s", a.Limits.WriteRate, seconds))
	_ = huma.WriteErr(a.huma, ctx, p.Status, p.Detail, p) // huma reports it
}
