package store

import (
	"errors"
	"fmt"
)

var (
	// ErrClosed is returned by every call after Close.
	ErrClosed = errors.New("store: closed")

	// ErrBusy is returned if the queue of writes is full. Nothing was written; the caller may
	// try again later.
	ErrBusy = errors.New("store: too many writes are waiting")

	// ErrUnavailable wraps SQLite's error if a write could not be committed. Nothing of the
	// write is in the database.
	ErrUnavailable = errors.New("store: the database can't be written")
)

// Code is the reason for a refusal. Codes never change.
type Code string

// The codes of an Error.
const (
	UserNotFound    Code = "user_not_found"    // no such user
	NegativeTotal   Code = "negative_total"    // a total would go below 0
	TotalTooLarge   Code = "total_too_large"   // a total would pass MaxTotal
	KeyReused       Code = "key_reused"        // an idempotency key was used before for another write
	NothingToChange Code = "nothing_to_change" // an update changes neither points nor coins
	OwnFriend       Code = "own_friend"        // a user asks to be friends with themselves
	TooManyFriends  Code = "too_many_friends"  // a wish for a friendship past MaxWishes
	BadTime         Code = "bad_time"          // an update's own time is in the future or too early
	Invalid         Code = "invalid_input"     // a field is missing or too large
)

// MaxTotal bounds a user's points and coins. It is the largest whole number that all readers of
// JSON agree on (RFC 7493, section 2.2).
const MaxTotal = 1<<53 - 1

// Error is a refusal: the request can't be done as it is, and nothing was changed.
type Error struct {
	Code    Code
	Index   int    // index in the batch of the item at fault
	Field   string // name of the field at fault, as in the API
	Message string // a sentence for the caller

	// Others are the further refusals of the same batch, in its order: maxRefusals-1 at most.
	Others []*Error
}

func (e *Error) Error() string { return e.Message }

func refuse(code Code, index int, field, format string, args ...any) *Error {
	return &Error{Code: code, Index: index, Field: field, Message: fmt.Sprintf(format, args...)}
}

// maxRefusals is how many refusals of one batch are reported. The rest of the batch is not checked.
const maxRefusals = 100

// refusals are the refusals of one batch.
type refusals []*Error

// take adds a refusal and returns nil, so that the rest of the batch is checked as well. When there
// are maxRefusals, it returns them all as one error. Errors that are no refusals it returns
// unchanged.
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
