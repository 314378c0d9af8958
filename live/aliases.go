package live

import "marcador/store"

// Types of the store that callers of this package use.
type (
	Write   = store.Write
	Update  = store.Update
	Profile = store.Profile
	Patch   = store.Patch
	Badge   = store.Badge
	Period  = store.Period
	Error   = store.Error
	Code    = store.Code
)

// FriendsRule says when a friendship counts.
type FriendsRule = store.FriendsRule

// See store.FriendsRule.
const (
	FriendsMutual  = store.FriendsMutual
	FriendsInGroup = store.FriendsInGroup
	FriendsOpen    = store.FriendsOpen
)

// ParseFriendsRule returns the rule with that name. ok is false if there is no such rule.
func ParseFriendsRule(name string) (r FriendsRule, ok bool) { return store.ParseFriendsRule(name) }

// ParsePeriod returns the period with that name. ok is false if there is no such period.
func ParsePeriod(name string) (p Period, ok bool) { return store.ParsePeriod(name) }

// See store.Period.
const (
	Daily   = store.Daily
	Weekly  = store.Weekly
	Monthly = store.Monthly
	AllTime = store.AllTime
)

// Errors of the store.
var (
	ErrBusy        = store.ErrBusy
	ErrClosed      = store.ErrClosed
	ErrUnavailable = store.ErrUnavailable
)

// Causes that ErrUnavailable may wrap. See store.
var (
	ErrDiskFull = store.ErrDiskFull
	ErrReadOnly = store.ErrReadOnly
	ErrLocked   = store.ErrLocked
	ErrDamaged  = store.ErrDamaged
	ErrGone     = store.ErrGone
	ErrIO       = store.ErrIO
)

// Codes of an Error. See store.Error.
const (
	UserNotFound    = store.UserNotFound
	NegativeTotal   = store.NegativeTotal
	TotalTooLarge   = store.TotalTooLarge
	KeyReused       = store.KeyReused
	NothingToChange = store.NothingToChange
	OwnFriend       = store.OwnFriend
	Invalid         = store.Invalid
	TooManyFriends  = store.TooManyFriends
)
