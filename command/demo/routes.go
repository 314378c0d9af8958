package demo

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"marcador/auth"
	"marcador/live"
	"marcador/store"
)

// session is how long a visitor's token is valid.
const session = time.Hour

// Handler serves the routes that the page of the demo needs besides the API:
//
//	GET  /demo/students  {"students":[{"userId","username","school","classroom"}],
//	                      "boards":{board: title}}
//	POST /demo/token     {"userId"} → {"token","expiresAt"}; anybody may be any student
//	POST /demo/exercise  completes an exercise, as the student whose token the request carries
func (s *School) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /demo/students", func(w http.ResponseWriter, _ *http.Request) {
		s.answer(w, http.StatusOK, map[string]any{"students": s.students, "boards": s.boards})
	})
	mux.HandleFunc("POST /demo/token", s.token)
	mux.HandleFunc("POST /demo/exercise", s.exercise)
	return http.NewCrossOriginProtection().Handler(mux)
}

func (s *School) token(w http.ResponseWriter, r *http.Request) {
	var in struct {
		UserID string `json:"userId"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4<<10)).Decode(&in); err != nil {
		s.refuse(w, http.StatusBadRequest, "send {\"userId\":\"…\"}")
		return
	}
	st, ok := s.byID[in.UserID]
	if !ok {
		s.refuse(w, http.StatusNotFound, "there is no such student; see /demo/students")
		return
	}
	token, err := s.verifier.Sign(auth.Caller{UserID: st.UserID, Name: st.Username}, session)
	if err != nil {
		s.log.Error("sign a visitor's token", "error", err)
		s.refuse(w, http.StatusInternalServerError, "something went wrong here; it was logged")
		return
	}
	// Friends are made only now, so that the demo starts fast. Asking again changes nothing.
	for _, friend := range friendsOf(s.students, slices.IndexFunc(s.students, func(other student) bool { return other.UserID == st.UserID })) {
		if err := s.live.Befriend(r.Context(), st.UserID, friend, true); err != nil {
			s.log.Debug("make a visitor's friends", "error", err)
		}
	}
	s.answer(w, http.StatusOK, map[string]any{"token": token, "expiresAt": time.Now().Add(session).UTC().Format(live.TimeFormat)})
}

func (s *School) exercise(w http.ResponseWriter, r *http.Request) {
	token, _, err := auth.TokenOf(r, false)
	var caller auth.Caller
	if err == nil {
		caller, err = s.verifier.Verify(r.Context(), token)
	}
	if err != nil {
		s.refuse(w, http.StatusUnauthorized, err.Error()+"; pick a student again")
		return
	}
	results, err := s.live.AddPoints(r.Context(), []store.Write{{Updates: []store.Update{exerciseOf(caller.UserID, rand.IntN)}}})
	if err != nil {
		s.log.Error("visitor's exercise", "error", err)
		s.refuse(w, http.StatusServiceUnavailable, "the points could not be written; try again")
		return
	}
	done := results[0]
	s.answer(w, http.StatusOK, map[string]any{
		"userId": done.UserID, "xp": done.XP, "mlCoins": done.MLCoins, "pointsGained": done.PointsGained,
		"oldRank": done.OldRank, "newRank": done.NewRank, "rankBadge": done.RankBadge, "version": done.Version,
	})
}

func (s *School) refuse(w http.ResponseWriter, status int, detail string) {
	s.answer(w, status, map[string]any{"title": http.StatusText(status), "status": status, "detail": detail, "code": "demo"})
}

func (s *School) answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		s.log.Debug("answer a visitor", "error", err)
	}
}
