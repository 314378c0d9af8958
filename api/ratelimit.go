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

// maxCallers bounds the callers whose rates are known. Past it, the caller who has not written for
// the longest is forgotten, and may then write a second's worth of updates at once.
const maxCallers = 10_000

// rateLimit bounds how many updates a second each caller may write. Each caller has a token bucket
// that holds a second's worth. A write may begin while there is at least one token in the bucket,
// and takes as many as it has updates. So a batch larger than the bucket leaves a debt, and the
// next write has to wait until the bucket has refilled that far. A nil rateLimit bounds nothing. It
// is safe for concurrent use.
type rateLimit struct {
	perSecond int
	buckets   *lru.Cache[string, *rate.Limiter] // by caller
}

// newRateLimit returns a limit, or nil if perSecond is 0.
func newRateLimit(perSecond int) *rateLimit {
	if perSecond <= 0 {
		return nil
	}
	buckets, err := lru.New[string, *rate.Limiter](maxCallers)
	if err != nil {
		panic(err) // only a size below 1 is an error
	}
	return &rateLimit{perSecond, buckets}
}

func (l *rateLimit) bucket(caller string) *rate.Limiter {
	if bucket, ok := l.buckets.Get(caller); ok {
		return bucket
	}
	bucket := rate.NewLimiter(rate.Limit(l.perSecond), l.perSecond)
	if other, ok, _ := l.buckets.PeekOrAdd(caller, bucket); ok {
		return other
	}
	return bucket
}

// begin takes the token of one update, or returns how long it takes until there is one.
func (l *rateLimit) begin(caller string) (wait time.Duration) {
	if l == nil {
		return 0
	}
	now, bucket := time.Now(), l.bucket(caller)
	if bucket.AllowN(now, 1) {
		return 0
	}
	missing := 1 - bucket.TokensAt(now)
	return time.Duration(missing / float64(l.perSecond) * float64(time.Second))
}

// add takes the tokens of further updates, for a write that has begun.
func (l *rateLimit) add(caller string, updates int) {
	if l == nil {
		return
	}
	now, bucket := time.Now(), l.bucket(caller)
	for ; updates > 0; updates -= l.perSecond { // ReserveN takes no more than the bucket can hold
		bucket.ReserveN(now, min(updates, l.perSecond))
	}
}

// limitWrites refuses a write, before its body is read, if the caller writes too fast. Each write
// counts as one update, also if it fails or repeats another one. Handlers of batches count the
// other updates.
func (a *api) limitWrites(ctx huma.Context, next func(huma.Context)) {
	may, _ := ctx.Operation().Metadata[accessKey].(access)
	if ctx.Method() == http.MethodGet || ctx.Method() == http.MethodHead || may.noRateLimit {
		next(ctx)
		return
	}
	wait := a.rate.begin(callerOf(ctx.Context()).UserID)
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
