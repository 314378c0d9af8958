package store

import (
	"errors"
	"fmt"
)

var (
	// ErrClosed is returned by every call after Close.
	ErrClosed = errors.New("store: closed")

	// ErrBusy is returned when more writes wait than the queue holds. Nothing
	// was written; the same write may be tried again later.
	ErrBusy = errors.New("store: too many writes are waiting")

	// ErrUnavailable wraps what SQLite said when a write could not be committed.
	// Nothing of it is in the database.
	ErrUnavailable = errors.New("store: the database can't be written")
)

// Code says why a write or a read was refused. Codes are stable.
type Code string

// The codes of an Error.
const (
	UserNotFound    Code = "user_not_found"    // no such user
	NegativeTotal   Code = "negative_total"    // a total would go below 0
	TotalTooLarge   Code = "total_too_large"   // a total would pass MaxTotal
	KeyReused       Code = "key_reused"        // an idempotency key came with another body
	NothingToChange Code = "nothing_to_change" // an update moves neither points nor coins
	OwnFriend       Code = "own_friend"        // a friendship of a user with themselves
	TooManyFriends  Code = "too_many_friends"  // a wish for a friendship past MaxWishes
	BadTime         Code = "bad_time"          // a row's own time is not one that it may have
	Invalid         Code = "invalid_input"     // a field is missing, or holds too much
)

// MaxTotal bounds a user's points and coins: the largest whole number that
// JSON's readers agree on (RFC 7493, section 2.2).
const MaxTotal = 1<<53 - 1

// Error is a refusal: what was asked for can't be done, and nothing changed.
type Error struct {
	Code    Code
	Index   int    // which of a batch, from 0
	Field   string // the field of the input that is at fault, as in the API
	Message string // a sentence for the caller

	// Others are what else is wrong with the batch, in its order. With this one they are
	// at most maxRefusals.
	Others []*Error
}

func (e *Error) Error() string { return e.Message }

func refuse(code Code, index int, field, format string, args ...any) *Error {
	return &Error{Code: code, Index: index, Field: field, Message: fmt.Sprintf(format, args...)}
}

// maxRefusals is how many refusals of one batch are told. Planning stops there.
const maxRefusals = 100

// refusals collects what is wrong with a batch.
type refusals []*Error

// take keeps a refusal, so that the rest of the batch is looked at as well. It returns any
// other error, and with the last refusal that is told all of them.
func (r *refusals) take(err error) error {
	refusal, ok := errors.AsType[*Error](err)
	if !ok {
		return err
	}
	if *r = append(*r, refusal); len(*r) == maxRefusals {
		return r.err()
	}
	return nil
}

// err returns the first refusal with the others, or nil.
func (r *refusals) err() error {
	if len(*r) == 0 {
		return nil
	}
	first := *(*r)[0]
	first.Others = (*r)[1:]
	return &first
}
