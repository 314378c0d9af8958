package api

import (
	"context"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"marcador/auth"
	"marcador/internal/membudget"
	"marcador/live"
	"marcador/store"
)

// person is what is known about a user, without their ranks.
type person struct {
	UserID    string              `json:"userId"`
	Username  string              `json:"username"`
	Avatar    string              `json:"avatar"`
	Email     string              `json:"email,omitempty"`
	Groups    map[string][]string `json:"groups" doc:"Ids of the groups that the person is in, by kind"`
	Pseudonym string              `json:"pseudonym,omitempty" doc:"What others see instead of name and avatar"`
	Hidden    bool                `json:"hidden,omitempty" doc:"Whether nobody else sees the person on a board"`
	XP        int64               `json:"xp"`
	MLCoins   int64               `json:"mlCoins"`
	RankBadge string              `json:"rankBadge"`
}

// user is a person with their ranks.
type user struct {
	person
	Ranks map[string]map[string]int `json:"ranks" doc:"Rank by board and period"`
}

func personOf(u live.User) person {
	return person{
		UserID: u.ID, Username: u.Username, Avatar: u.Avatar, Email: u.Email, Groups: u.Groups, Pseudonym: u.Pseudonym, Hidden: u.Hidden,
		XP: u.XP, MLCoins: u.MLCoins, RankBadge: u.RankBadge,
	}
}

type userOutput struct {
	Status int
	Body   user
}

// people has users as they are now, in the order of the request.
type people struct {
	Users []person `json:"users" nullable:"false"`
}

func (a *api) usersRoutes() {
	write := access{scope: auth.ScopeWriteUsers}
	self := access{self: true}

	put := a.operation(http.MethodPut, "/v1/users/{id}", "putUser", "Users", "Create a profile, or replace it whole", write)
	put.Description += " A field that is absent becomes empty. The answer of GET can be sent back: its totals and ranks are ignored."
	huma.Register(a.huma, put, func(ctx context.Context, in *putUserInput) (*userOutput, error) {
		created, err := a.Live.PutProfiles(ctx, []store.Profile{in.Body.of(in.ID)})
		if err != nil {
			return nil, a.fail(ctx, err)
		}
		out, err := a.user(ctx, in.ID)
		if err == nil && created[0] {
			out.Status = http.StatusCreated
		}
		return out, err
	})

	patch := a.operation(http.MethodPatch, "/v1/users/{id}", "patchUser", "Users", "Change a profile", write)
	patch.Description += patchRules + " The user must exist: PUT and `POST /v1/users` create one."
	huma.Register(a.huma, patch, func(ctx context.Context, in *patchUserInput) (*userOutput, error) {
		if err := a.Live.PatchProfile(ctx, in.Body.of(in.ID)); err != nil {
			return nil, a.fail(ctx, err)
		}
		return a.user(ctx, in.ID)
	})
	offerMergePatch(a.huma.OpenAPI().Paths[patch.Path].Patch)

	post := a.operation(http.MethodPost, "/v1/users", "postUsers", "Users", "Create or change profiles, all or none", write)
	post.Description += patchRules + " A new user needs a `username`."
	answering[people](a, &post, "OK")
	huma.Register(a.huma, post, a.postUsers)

	get := a.operation(http.MethodGet, "/v1/users/{id}", "getUser", "Users", "A user's totals and ranks", self)
	huma.Register(a.huma, get, func(ctx context.Context, in *UserPath) (*userOutput, error) {
		return a.user(ctx, in.ID)
	})

	erase := a.operation(http.MethodDelete, "/v1/users/{id}", "deleteUser", "Users", "Erase a person", write)
	erase.DefaultStatus = http.StatusNoContent
	huma.Register(a.huma, erase, func(ctx context.Context, in *UserPath) (*struct{}, error) {
		return nil, a.fail(ctx, a.Live.Erase(ctx, in.ID))
	})
}

// postUsers creates or changes profiles.
func (a *api) postUsers(ctx context.Context, in *postUsersInput) (*encodedOutput, error) {
	a.rate.add(callerOf(ctx).UserID, len(in.Body.Users)-1)
	if f := a.nameless(in.Body.Users); len(f.list) > 0 {
		return nil, huma.Error422UnprocessableEntity("", f.list...)
	}
	patches := make([]store.Patch, len(in.Body.Users))
	ids := make([]string, len(patches))
	for i := range in.Body.Users {
		u := &in.Body.Users[i]
		patches[i], ids[i] = u.of(u.ID), u.ID
	}
	at := func(i int, field string) string { return "users[" + strconv.Itoa(i) + "]." + field }
	size := a.Live.SizeOf(live.Global, len(ids))
	made, err := a.acquire(ctx, membudget.NoSlot, size, size) // before anything is changed
	if err != nil {
		return nil, err
	}
	size = 0
	defer func() { made(size) }()
	if _, err := a.Live.PatchProfiles(ctx, patches); err != nil {
		return nil, a.failAt(ctx, err, at)
	}
	users, err := a.Live.Users(ctx, ids)
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	list := people{make([]person, len(users))}
	for i, u := range users {
		list.Users[i] = personOf(u)
	}
	out, err := encode(list)
	if err == nil {
		size = len(out.Body)
	}
	return out, err
}

// nameless finds all new users without a name. Without it live would refuse the batch too, but
// would only name the first of them.
func (a *api) nameless(users []newUser) (f faults) {
	for i := range users {
		if u := &users[i]; !u.Username.Given && !a.Live.Has(u.ID) {
			f.prefix = "body.users[" + strconv.Itoa(i) + "]."
			f.add("username", "is missing; give it, since the user does not exist yet")
		}
	}
	return f
}

func (a *api) user(ctx context.Context, id string) (*userOutput, error) {
	u, err := a.Live.User(ctx, id)
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	return &userOutput{Status: http.StatusOK, Body: user{personOf(u), u.Ranks}}, nil
}
