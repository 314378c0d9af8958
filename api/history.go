package api

import (
	"context"
	"math"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"marcador/internal/membudget"
	"marcador/live"
)

type historyInput struct {
	UserPath

	Before int64 `query:"before" minimum:"0" doc:"List only entries with a lower seq; to read on, give the last one of the list before"`
	Limit  int   `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"Number of entries"`
}

// history is the ledger of a user's points, newest first.
type history struct {
	UserID  string         `json:"userId"`
	Entries []historyEntry `json:"entries" nullable:"false"`
}

type historyEntry struct {
	Seq          int64  `json:"seq" doc:"Sequence number of the update"`
	XP           int64  `json:"xp" doc:"Points that were added; negative if they were taken away"`
	MLCoins      int64  `json:"mlCoins"`
	XPAfter      int64  `json:"xpAfter" doc:"The total after the update"`
	MLCoinsAfter int64  `json:"mlCoinsAfter"`
	Reason       string `json:"reason"`
	At           string `json:"at" format:"date-time"`
}

func (a *api) historyRoutes() {
	op := a.operation(http.MethodGet, "/v1/users/{id}/history", "getHistory", "Users", "The ledger of a user's points, newest first", access{self: true})
	op.RejectUnknownQueryParameters = true
	answering[history](a, &op, "OK")
	huma.Register(a.huma, op, a.history)
}

// sizeOfRow is about how many bytes a row of the ledger takes when it is read, and again when it
// is encoded.
const sizeOfRow = 600

func (a *api) history(ctx context.Context, in *historyInput) (*encodedOutput, error) {
	before := in.Before
	if before == 0 {
		before = math.MaxInt64
	}
	made, err := a.acquire(ctx, membudget.PageSlot, in.Limit*sizeOfRow, in.Limit*sizeOfRow)
	if err != nil {
		return nil, err
	}
	size := 0
	defer func() { made(size) }()
	rows, err := a.Live.History(ctx, in.ID, before, in.Limit)
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	out := history{UserID: in.ID, Entries: []historyEntry{}}
	for _, r := range rows {
		out.Entries = append(out.Entries, historyEntry{
			r.Seq, r.XP, r.MLCoins, r.XPAfter, r.MLCoinsAfter, r.Reason, r.At.Format(live.TimeFormat),
		})
	}
	body, err := encode(out)
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	size = len(body.Body)
	return body, nil
}
