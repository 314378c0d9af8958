package api

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"marcador/internal/profile"
	"marcador/internal/validate"
	"marcador/store"
)

// Profile is what is known about a person, apart from their points.
type Profile struct {
	Username string              `json:"username" maxLength:"100" doc:"Name that others see"`
	Avatar   string              `json:"avatar,omitempty" maxLength:"2048" doc:"Address of a picture: https: or data:image/"`
	Email    string              `json:"email,omitempty" maxLength:"320"`
	Groups   map[string][]string `json:"groups,omitempty" doc:"Ids of the groups that the person is in, by kind"`

	Pseudonym string `json:"pseudonym,omitempty" maxLength:"100" doc:"What others see instead of name and avatar"`
	Hidden    bool   `json:"hidden,omitempty" doc:"Whether nobody else sees the person on a board. The ranks of others close up"`
}

// replacement is a whole profile that replaces another one. It accepts the other fields of the
// answer of GET, so that the answer can be sent back.
type replacement struct {
	Profile
	UserID    string          `json:"userId,omitempty" doc:"Optional; must be the id in the path"`
	XP        json.RawMessage `json:"xp,omitempty" doc:"Ignored"`
	MLCoins   json.RawMessage `json:"mlCoins,omitempty" doc:"Ignored"`
	RankBadge json.RawMessage `json:"rankBadge,omitempty" doc:"Ignored"`
	Ranks     json.RawMessage `json:"ranks,omitempty" doc:"Ignored"`
	Stats     json.RawMessage `json:"stats,omitempty" doc:"Ignored"`
}

type putUserInput struct {
	UserPath

	Body replacement
}

// Resolve implements huma.Resolver.
func (in *putUserInput) Resolve(ctx huma.Context) []error {
	f := faults{prefix: "body.", list: in.UserPath.Resolve(ctx)}
	if in.Body.UserID != "" {
		f.id(ctx, "userId", &in.Body.UserID)
		if in.Body.UserID != in.ID {
			f.add("userId", "is not the user in the path; leave it out, or correct the path")
		}
	}
	p := in.Body.patch()
	validate.CheckProfile(&p, boardExists(ctx.Context()), f.add)
	in.Body.Username, in.Body.Pseudonym = p.Username.Value, p.Pseudonym.Value
	return f.list
}

// patch returns the patch that gives each field a value.
func (p *Profile) patch() profile.Patch {
	return profile.Patch{
		Username: profile.Given(p.Username), Avatar: profile.Given(p.Avatar), Email: profile.Given(p.Email),
		Groups: profile.Given(p.Groups), Pseudonym: profile.Given(p.Pseudonym), Hidden: profile.Given(p.Hidden),
	}
}

func (p *Profile) of(id string) store.Profile {
	return store.Profile{
		ID: id, Username: p.Username, Avatar: p.Avatar, Email: p.Email, Groups: p.Groups,
		Pseudonym: p.Pseudonym, Hidden: p.Hidden,
	}
}

// Optional is a field of a merge patch: absent, null or a value.
type Optional[T any] struct{ profile.Field[T] }

// Schema implements huma.SchemaProvider.
func (Optional[T]) Schema(r huma.Registry) *huma.Schema {
	s := *r.Schema(reflect.TypeFor[T](), true, "")
	s.Nullable = true
	return &s
}

// ProfilePatch has changes to a profile, as a JSON merge patch (RFC 7396).
type ProfilePatch struct {
	Username  Optional[string] `json:"username,omitzero" maxLength:"100" nullable:"false" doc:"Name that others see"`
	Avatar    Optional[string] `json:"avatar,omitzero" maxLength:"2048" doc:"Address of a picture: https: or data:image/; null removes it"`
	Email     Optional[string] `json:"email,omitzero" maxLength:"320" doc:"null removes it"`
	Pseudonym Optional[string] `json:"pseudonym,omitzero" maxLength:"100" doc:"What others see instead of name and avatar; null removes it"`
	Hidden    Optional[bool]   `json:"hidden,omitzero" doc:"Whether nobody else sees the person on a board. The ranks of others close up. null means false"`

	Groups Optional[map[string][]string] `json:"groups,omitzero" doc:"Ids of the groups that the person is in, by kind. A kind that is absent stays as it is; null removes a kind, or all of them"`
}

// patchRules describes in the OpenAPI document what a merge patch does.
const patchRules = " A field that is absent stays as it is. `groups` are merged by kind. `null` removes a kind of group or an optional field."

// patch returns the changes.
func (p *ProfilePatch) patch() profile.Patch {
	return profile.Patch{
		Username: p.Username.Field, Avatar: p.Avatar.Field, Email: p.Email.Field,
		Pseudonym: p.Pseudonym.Field, Hidden: p.Hidden.Field, Groups: p.Groups.Field,
	}
}

// check brings the changes into their canonical form, and finds what is wrong with them.
func (p *ProfilePatch) check(ctx huma.Context, f *faults) {
	changes := p.patch()
	validate.CheckProfile(&changes, boardExists(ctx.Context()), f.add)
	p.Username.Field, p.Pseudonym.Field = changes.Username, changes.Pseudonym
}

func (p *ProfilePatch) of(id string) store.Patch { return store.Patch{ID: id, Patch: p.patch()} }

type patchUserInput struct {
	UserPath

	Body ProfilePatch
}

// Resolve implements huma.Resolver.
func (in *patchUserInput) Resolve(ctx huma.Context) []error {
	f := faults{prefix: "body.", list: in.UserPath.Resolve(ctx)}
	in.Body.check(ctx, &f)
	return f.list
}

// mergePatch is the content type of the body of PATCH. Plain JSON is accepted too.
const mergePatch = "application/merge-patch+json"

// readAs returns the content type that huma is told instead of this one. huma reads every type that
// ends in +json. But another kind of patch means something else, and a merge patch sent with PUT
// would clear the fields that it leaves out. So PATCH alone accepts a merge patch, and no other
// type that ends in +json is accepted.
func readAs(method, contentType string) string {
	kind, _, _ := strings.Cut(contentType, ";")
	kind = strings.TrimSpace(kind)
	if strings.HasSuffix(kind, "+json") && (method != http.MethodPatch || kind != mergePatch) {
		return strings.TrimSuffix(kind, "+json")
	}
	return contentType
}

// offerMergePatch says in the OpenAPI document that the operation accepts a merge patch.
func offerMergePatch(op *huma.Operation) {
	content := op.RequestBody.Content
	content[mergePatch] = content[jsonType]
}

// newUser has changes to the profile of a user, who may be new.
type newUser struct {
	ID string `json:"id" maxLength:"128" doc:"The id that the caller's own system has for the person"`
	ProfilePatch
}

type users struct {
	Users []newUser `json:"users" minItems:"1" maxItems:"1000" nullable:"false"`
}

type postUsersInput struct {
	Body users
}

// Resolve implements huma.Resolver.
func (in *postUsersInput) Resolve(ctx huma.Context) []error {
	f := faults{}
	seen := make(map[string]int, len(in.Body.Users))
	for i := range in.Body.Users {
		u := &in.Body.Users[i]
		f.prefix = "body.users[" + strconv.Itoa(i) + "]."
		f.id(ctx, "id", &u.ID)
		if first, twice := seen[u.ID]; twice {
			f.add("id", "is there twice, first in users["+strconv.Itoa(first)+"]; give each user once")
		}
		seen[u.ID] = i
		u.check(ctx, &f)
	}
	return f.list
}
