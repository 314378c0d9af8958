package api

import (
	"context"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"marcador/auth"
	"marcador/internal/validate"
	"marcador/live"
	"marcador/store"
)

// result is what an update did.
type result struct {
	UserID       string `json:"userId"`
	XP           int64  `json:"xp" doc:"The total after the update"`
	MLCoins      int64  `json:"mlCoins" doc:"The coins after the update"`
	PointsGained int64  `json:"pointsGained" doc:"Points that were added"`
	OldRank      *int   `json:"oldRank" doc:"Rank on the global board before the update; null if the user had none"`
	NewRank      *int   `json:"newRank" doc:"Rank on the global board after the update"`
	RankBadge    string `json:"rankBadge"`
	Version      int64  `json:"version" doc:"Sequence number of the update"`
}

func resultOf(r live.Result) result {
	return result{
		UserID: r.UserID, XP: r.XP, MLCoins: r.MLCoins, PointsGained: r.PointsGained,
		OldRank: rankOrNull(r.OldRank), NewRank: rankOrNull(r.NewRank), RankBadge: r.RankBadge, Version: r.Version,
	}
}

// rankOrNull returns the rank, or nil for 0, which means no rank.
func rankOrNull(r int) *int {
	if r == 0 {
		return nil
	}
	return &r
}

// Points is how many points to give.
type Points struct {
	XP      *int64 `json:"xp,omitempty" minimum:"-9007199254740991" maximum:"9007199254740991" doc:"Points to add, negative to take away; not 0"`
	MLCoins int64  `json:"mlCoins,omitempty" minimum:"-9007199254740991" maximum:"9007199254740991" doc:"Coins to add, negative to take away"`
	Reason  string `json:"reason,omitempty" maxLength:"500" doc:"What the points are for; stored in the ledger" example:"exercise:123"`
}

// check finds what is wrong with the points.
func (p *Points) check(f *faults) {
	switch {
	case p.XP == nil && p.MLCoins == 0:
		f.add("xp", "is missing; give the points to add or to take away")
	case p.XP != nil && *p.XP == 0:
		f.add("xp", "is 0; give the points to add or to take away, or leave xp out to change mlCoins alone")
	}
	f.add("reason", validate.Text(p.Reason, validate.MaxReason))
}

func (p *Points) xp() int64 {
	if p.XP == nil {
		return 0
	}
	return *p.XP
}

// Idempotency is the header that makes a write repeatable.
type Idempotency struct {
	Key string `header:"Idempotency-Key" doc:"Any string of up to 255 characters. If the same caller (the user that the token names) sends the same key again, the answer is the first one, and nothing changes"`
}

// check finds what is wrong with the header. An empty one is refused, and so are two: the caller
// wants the write to be repeatable, and a write without a key would count twice.
func (in *Idempotency) check(ctx huma.Context, f *faults) {
	r, _ := humago.Unwrap(ctx)
	switch all := r.Header.Values("Idempotency-Key"); {
	case len(all) > 1:
		f.add("Idempotency-Key", "is there more than once; give one key")
	case len(all) == 1 && in.Key == "":
		f.add("Idempotency-Key", "is empty; give a key, or leave the header out")
	default:
		f.add("Idempotency-Key", validate.Text(in.Key, validate.MaxKey))
	}
}

type postXPInput struct {
	UserPath
	Idempotency

	Body Points
}

// Resolve implements huma.Resolver.
func (in *postXPInput) Resolve(ctx huma.Context) []error {
	f := faults{list: in.UserPath.Resolve(ctx), prefix: "header."}
	in.Idempotency.check(ctx, &f)
	f.prefix = "body."
	in.Body.check(&f)
	return f.list
}

type postXPOutput struct {
	Body result
}

// update is points for one user.
type update struct {
	UserID string `json:"userId" maxLength:"128"`
	Points
	Key string `json:"key,omitempty" minLength:"1" maxLength:"255" doc:"Idempotency key of this update; it belongs to the caller"`
}

type batch struct {
	Updates []update `json:"updates" minItems:"1" maxItems:"1000" nullable:"false"`
}

type postBatchInput struct {
	Idempotency

	Body batch
}

// Resolve implements huma.Resolver.
func (in *postBatchInput) Resolve(ctx huma.Context) []error {
	f := faults{prefix: "header."}
	in.Idempotency.check(ctx, &f)
	for i := range in.Body.Updates {
		u := &in.Body.Updates[i]
		f.prefix = "body.updates[" + strconv.Itoa(i) + "]."
		f.id(ctx, "userId", &u.UserID)
		f.add("key", validate.Text(u.Key, validate.MaxKey))
		if u.Key != "" && in.Key != "" {
			f.add("key", "can't be given together with the header Idempotency-Key, which covers the whole batch; give one of them")
		}
		u.check(&f)
	}
	return f.list
}

// writes returns the writes that the batch asks for: a single one if a header covers the whole
// batch, otherwise one for each update.
func (in *postBatchInput) writes(caller string) []store.Write {
	var writes []store.Write
	for i, u := range in.Body.Updates {
		update := store.Update{UserID: u.UserID, XP: u.xp(), MLCoins: u.MLCoins, Reason: u.Reason}
		if in.Key != "" && i > 0 {
			writes[0].Updates = append(writes[0].Updates, update)
			continue
		}
		writes = append(writes, store.Write{Caller: caller, Key: in.Key + u.Key, Updates: []store.Update{update}})
	}
	return writes
}

// results has what each update did, in the order of the request.
type results struct {
	Results []result `json:"results" nullable:"false"`
}

type postBatchOutput struct {
	Body results
}

func (a *api) pointsRoutes() {
	write := access{scope: auth.ScopeWriteXP}

	one := a.operation(http.MethodPost, "/v1/users/{id}/xp", "postXP", "Points", "Give points to a user, or take them away", write)
	huma.Register(a.huma, one, func(ctx context.Context, in *postXPInput) (*postXPOutput, error) {
		done, err := a.addPoints(ctx, []store.Write{{Caller: callerOf(ctx).UserID, Key: in.Key, Updates: []store.Update{
			{UserID: in.ID, XP: in.Body.xp(), MLCoins: in.Body.MLCoins, Reason: in.Body.Reason},
		}}}, func(_ int, field string) string {
			switch field {
			case "key":
				return "Idempotency-Key"
			case "userId":
				return "id"
			}
			return field
		})
		if err != nil {
			return nil, err
		}
		return &postXPOutput{done[0]}, nil
	})

	many := a.operation(http.MethodPost, "/v1/xp", "postBatch", "Points", "Give points to several users, all or none", write)
	many.Errors = append(many.Errors, http.StatusNotFound)
	huma.Register(a.huma, many, func(ctx context.Context, in *postBatchInput) (*postBatchOutput, error) {
		caller := callerOf(ctx).UserID
		a.rate.add(caller, len(in.Body.Updates)-1)
		done, err := a.addPoints(ctx, in.writes(caller), func(i int, field string) string {
			if field == "key" && in.Key != "" {
				return "Idempotency-Key"
			}
			return "updates[" + strconv.Itoa(i) + "]." + field
		})
		if err != nil {
			return nil, err
		}
		return &postBatchOutput{results{done}}, nil
	})
}

// addPoints gives the points. For field see failAt.
func (a *api) addPoints(ctx context.Context, writes []store.Write, field func(int, string) string) ([]result, error) {
	done, err := a.Live.AddPoints(ctx, writes)
	if err != nil {
		return nil, a.failAt(ctx, err, field)
	}
	list := make([]result, len(done))
	for i, r := range done {
		list[i] = resultOf(r)
	}
	return list, nil
}
