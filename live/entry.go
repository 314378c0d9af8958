package live

import (
	"encoding/json"
	"strconv"
	"time"

	"marcador/store"
)

// Entry is one entry of a page or a broadcast, as JSON has it.
type Entry struct {
	Rank       int    `json:"rank" minimum:"1" doc:"Rank on the board, from 1"`
	UserID     string `json:"userId"`
	Username   string `json:"username"`
	Avatar     string `json:"avatar" doc:"https: or data:image/ address, or empty"`
	RankBadge  string `json:"rankBadge" doc:"Maya rank that the total of points has earned" example:"Nacom"`
	Score      int64  `json:"score" doc:"Points that count in the period; what the board is ordered by"`
	XP         int64  `json:"xp" doc:"Points in total"`
	MLCoins    int64  `json:"mlCoins" doc:"Coins in total"`
	Change     int    `json:"change" minimum:"0" doc:"How far the rank has moved since the period before; of all-time, since the baseline"`
	ChangeType string `json:"changeType" enum:"up,down,same,new" doc:"The direction; new if the user was not on the board then"`
	// IsCurrentUser must stay the last field; see row.
	IsCurrentUser bool `json:"isCurrentUser" doc:"Whether this is the caller; always false in a broadcast"`
}

// OwnEntry is the caller's own entry on a page. If the caller has no score in the period, Rank is
// 0, and the JSON fields rank and score are null.
type OwnEntry struct {
	Entry

	Percentile   float64 `json:"percentile" doc:"Share of the board that the caller is ahead of, in percent with one decimal"`
	PointsToNext *int64  `json:"pointsToNext" doc:"Points that would take the caller to a better rank; null at the top"`
	NextRank     *int    `json:"nextRank,omitempty" doc:"Only for a caller without a score in the period: the rank that pointsToNext would give"`
}

// MarshalJSON implements json.Marshaler. It writes null for a rank or score that is missing.
func (e OwnEntry) MarshalJSON() ([]byte, error) {
	type plain OwnEntry // without this method
	if e.Rank != 0 {
		return json.Marshal(plain(e))
	}
	return json.Marshal(struct {
		Rank *int `json:"rank"` // replaces the rank of plain, as Score replaces its score
		plain
		Score *int64 `json:"score"`
	}{plain: plain(e)})
}

// PageBody is the JSON that Service.Page returns.
type PageBody struct {
	Type         string     `json:"type" example:"global" doc:"Kind of the board"`
	Board        string     `json:"board" example:"global"`
	Period       string     `json:"period" enum:"daily,weekly,monthly,all-time"`
	Entries      []Entry    `json:"entries" nullable:"false"`
	TotalEntries int        `json:"totalEntries" doc:"Users on the board"`
	Me           *OwnEntry  `json:"me" doc:"The caller's own entry; null for callers who are not on the board"`
	Ranks        string     `json:"ranks" enum:"ordinal,competition,dense" doc:"How equal scores are numbered"`
	LastUpdated  time.Time  `json:"lastUpdated" doc:"When the last change that ordinary readers of the board can see was committed"`
	Version      int64      `json:"version" doc:"Sequence number of the last change that ordinary readers of the board can see"`
	ResetsAt     *time.Time `json:"resetsAt" doc:"When the period ends; null for all-time"`
}

// entry returns the entry as JSON has it. own says that the user is the caller.
func (u rankedUser) entry(shown map[uint32]store.Shown, own bool) Entry {
	e := Entry{
		Rank: u.Rank, UserID: u.id, RankBadge: u.badge,
		Username: shown[u.User].Username, Avatar: shown[u.User].Avatar,
		Score: u.Score, XP: u.xp, MLCoins: u.mlCoins, IsCurrentUser: own,
	}
	e.Change, e.ChangeType = u.Change()
	return e
}

func marshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // numbers, strings and bools always have a JSON form
	}
	return b
}

func quote(s string) []byte { return marshal(s) }

// TimeFormat is the layout of times in JSON: RFC 3339 in UTC, with milliseconds.
const TimeFormat = store.TimeFormat

func appendTime(dst []byte, t time.Time) []byte {
	return append(t.UTC().AppendFormat(append(dst, '"'), TimeFormat), '"')
}

func appendField(dst []byte, name string, value int64) []byte {
	dst = append(dst, `,"`...)
	dst = append(dst, name...)
	return strconv.AppendInt(append(dst, `":`...), value, 10)
}

// appendRank appends a rank as a field. The rank 0 becomes null.
func appendRank(dst []byte, name string, rank int) []byte {
	if rank != 0 {
		return appendField(dst, name, int64(rank))
	}
	return append(append(append(dst, `,"`...), name...), `":null`...)
}
