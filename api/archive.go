package api

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"marcador/auth"
	"marcador/internal/membudget"
	"marcador/live"
	"marcador/store"
)

type archiveInput struct {
	BoardPath

	Period string    `query:"period" enum:"daily,weekly,monthly" default:"daily" doc:"Kind of periods"`
	Start  string    `query:"start" maxLength:"40" doc:"A date, or a time as in start and end: the answer is then the final page of the period that contains it, instead of the list" example:"2026-11-16"`
	Before time.Time `query:"before" doc:"List only the periods that began before this time"`
	Limit  int       `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"Number of periods, or of entries"`
	Offset int       `query:"offset" minimum:"0" maximum:"1000000000" default:"0" doc:"Number of places to skip at the top"`
}

// closedPeriods are periods that are over, newest first.
type closedPeriods struct {
	Board   string         `json:"board"`
	Periods []closedPeriod `json:"periods" nullable:"false"`
}

type closedPeriod struct {
	Period string `json:"period" enum:"daily,weekly,monthly"`
	Start  string `json:"start" format:"date-time"`
	End    string `json:"end" format:"date-time" doc:"When the next period began"`
}

// finalPage is a page of a board as it was when a period closed.
type finalPage struct {
	Type  string `json:"type" doc:"Kind of the board"`
	Board string `json:"board"`
	closedPeriod
	Entries      []live.Entry `json:"entries" nullable:"false"`
	TotalEntries int          `json:"totalEntries" doc:"Number of places at the close. It includes people who were erased or hidden since, whom entries leaves out"`
	Me           *live.Entry  `json:"me" doc:"The caller's own entry; null if the caller was not on the board"`
	Ranks        string       `json:"ranks" enum:"ordinal,competition,dense" doc:"How equal scores were numbered"`
}

func closedOf(p live.ClosedPeriod) closedPeriod {
	return closedPeriod{p.Period, p.Start.Format(live.TimeFormat), p.End.Format(live.TimeFormat)}
}

func (a *api) archiveRoutes() {
	op := a.operation(http.MethodGet, "/v1/leaderboards/{board}/archive", "getArchive", "Boards", "Closed periods, and their final pages", access{public: true})
	op.Description = "The closed periods of a group are for the people who were members when they closed, those of a board of friends for its owner. The scope `admin` reads all. " +
		"Without start the answer is a list of closed periods, with start the final page of one. Places are final: when somebody is hidden or erased later, their place stays empty."
	op.RejectUnknownQueryParameters = true
	schemas := a.huma.OpenAPI().Components.Schemas
	op.Responses = map[string]*huma.Response{"200": {
		Description: "The list, or the page",
		Content: map[string]*huma.MediaType{"application/json": {Schema: &huma.Schema{OneOf: []*huma.Schema{
			schemas.Schema(reflect.TypeFor[closedPeriods](), true, ""), schemas.Schema(reflect.TypeFor[finalPage](), true, ""),
		}}}},
	}}
	orNull(schemas, "FinalPage", "me")
	huma.Register(a.huma, op, a.archive)
}

func (a *api) archive(ctx context.Context, in *archiveInput) (*encodedOutput, error) {
	asMember, err := a.admitThen(ctx, in.Board)
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	period, _ := store.ParsePeriod(in.Period) // huma has checked it
	size := a.Live.SizeOf(in.Board, in.Limit+1)
	// The places and entries that are read, then the encoded page.
	made, err := a.acquire(ctx, membudget.QuerySlot, size+live.SizeOfFinals, size)
	if err != nil {
		return nil, err
	}
	size = 0
	defer func() { made(size) }()
	out, err := a.closed(ctx, in, period, asMember)
	if err == nil {
		size = len(out.Body)
	}
	return out, err
}

// closed returns the list of closed periods, or the final page of one.
func (a *api) closed(ctx context.Context, in *archiveInput, period store.Period, asMember bool) (*encodedOutput, error) {
	if in.Start == "" {
		return a.closedPeriods(ctx, in, period, asMember)
	}
	moment, err := time.Parse(time.RFC3339, in.Start)
	if err != nil {
		moment, err = time.ParseInLocation(time.DateOnly, in.Start, a.Live.Location())
	}
	if err != nil {
		return nil, invalid("start", "is neither a date such as 2026-11-16 nor a time such as 2026-11-16T06:00:00Z")
	}
	caller := callerOf(ctx)
	page, err := a.Live.Final(ctx, live.Query{
		Board: in.Board, Period: period, Offset: in.Offset, Limit: in.Limit,
		Caller: caller.UserID, All: caller.May(auth.ScopeAdmin), AsMember: asMember,
	}, moment)
	if err != nil {
		return nil, a.failThen(ctx, err)
	}
	kind, _ := live.KindOf(in.Board)
	return encode(finalPage{
		Type: kind, Board: in.Board, closedPeriod: closedOf(page.ClosedPeriod),
		Entries: page.Entries, TotalEntries: page.TotalEntries, Me: page.Me, Ranks: page.Ranks,
	})
}

// admitThen is admit for closed periods. Those of a group are for the people who were members at
// the close, which only live can look up. It reports whether live has to do so.
func (a *api) admitThen(ctx context.Context, board string) (asMember bool, err error) {
	if kind, _ := live.KindOf(board); kind == live.Friends {
		_, err = a.admit(ctx, board)
		return false, err
	}
	return a.restricted(ctx, board)
}

// failThen is fail for closed periods.
func (a *api) failThen(ctx context.Context, err error) error {
	if !errors.Is(err, live.ErrNotMember) {
		return a.fail(ctx, err)
	}
	return notMemberAs("board: the period is for the people who were members when it closed; use a token of one of them, or one with the scope admin")
}

func (a *api) closedPeriods(ctx context.Context, in *archiveInput, period store.Period, asMember bool) (*encodedOutput, error) {
	before := in.Before
	if before.IsZero() {
		before = time.UnixMilli(1 << 52) // later than any period
	}
	var closed []live.ClosedPeriod
	var err error
	if asMember {
		closed, err = a.Live.ClosedTo(ctx, in.Board, callerOf(ctx).UserID, period, before, in.Limit)
	} else {
		closed, err = a.Live.Closed(ctx, period, before, in.Limit)
	}
	if err != nil {
		return nil, a.failThen(ctx, err)
	}
	list := closedPeriods{Board: in.Board, Periods: []closedPeriod{}}
	for _, p := range closed {
		list.Periods = append(list.Periods, closedOf(p))
	}
	return encode(list)
}
