package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/danielgtaylor/huma/v2/negotiation"

	"marcador/internal/msgpack"
)

// The content types of answers. Problems are always JSON: RFC 9457 defines no form of them in
// MessagePack.
const (
	jsonType    = "application/json"
	msgpackType = "application/msgpack"
)

// formats are the formats that huma reads and writes. Bodies of requests are always JSON.
func formats(check *bodyChecker) map[string]huma.Format {
	format := huma.Format{Marshal: marshalJSON, Unmarshal: check.unmarshal}
	return map[string]huma.Format{
		jsonType: format,
		"json":   format,
		msgpackType: {Marshal: marshalMessagePack, Unmarshal: func([]byte, any) error {
			return huma.ErrUnknownContentType
		}},
	}
}

// encoded is an answer that is JSON already.
type encoded []byte

// encodedOutput is a large answer, which the handler encoded while it had a slot and memory.
type encodedOutput struct {
	Body encoded
}

// encode encodes an answer. The caller has a slot.
func encode(v any) (*encodedOutput, error) {
	var b bytes.Buffer
	if err := marshalJSON(&b, v); err != nil {
		return nil, fmt.Errorf("encode %T: %w", v, err)
	}
	return &encodedOutput{b.Bytes()}, nil
}

// answering says in the OpenAPI document what the encoded answer looks like.
func answering[T any](a *api, op *huma.Operation, description string) {
	schema := a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[T](), true, "")
	op.Responses = map[string]*huma.Response{"200": {
		Description: description, Content: map[string]*huma.MediaType{jsonType: {Schema: schema}},
	}}
}

func marshalJSON(w io.Writer, v any) error {
	if body, ok := v.(encoded); ok {
		_, _ = w.Write(body) // the client may be gone
		return nil
	}
	return huma.DefaultJSONFormat.Marshal(w, v)
}

func marshalMessagePack(w io.Writer, v any) error {
	body, ok := v.(encoded)
	if !ok {
		var err error
		if body, err = json.Marshal(v); err != nil {
			return fmt.Errorf("encode %T: %w", v, err)
		}
	}
	packed, err := msgpack.FromJSON(make([]byte, 0, len(body)), body)
	if err != nil {
		return fmt.Errorf("encode %T: %w", v, err)
	}
	_, _ = w.Write(packed) // the client may be gone
	return nil
}

// negotiate chooses the type of the answer and leaves only that in the Accept header. huma reads
// the first line of the header only, compares it with case, and takes q=0 for q=1. Streams have
// one type.
func negotiate(ctx huma.Context, next func(huma.Context)) {
	if may, _ := ctx.Operation().Metadata[accessKey].(access); may.stream {
		next(ctx)
		return
	}
	r, w := humago.Unwrap(ctx)
	accept := strings.ToLower(strings.Join(r.Header.Values("Accept"), ","))
	best := negotiation.SelectQValue(accept, []string{jsonType, msgpackType, "application/x-msgpack"})
	if best == "" || best == jsonType {
		r.Header.Set("Accept", jsonType)
	} else {
		r.Header.Set("Accept", msgpackType)
		requestOf(r.Context()).memory.CountCopies(2) // the JSON, and the MessagePack made from it
	}
	w.Header().Add("Vary", "Accept")
	next(ctx)
}

// offerMessagePack says in the OpenAPI document that each answer in JSON is also available in
// MessagePack.
func offerMessagePack(doc *huma.OpenAPI) {
	for _, item := range doc.Paths {
		for _, op := range []*huma.Operation{item.Get, item.Put, item.Post, item.Patch, item.Delete} {
			if op == nil {
				continue
			}
			for _, response := range op.Responses {
				if media := response.Content[jsonType]; media != nil {
					response.Content[msgpackType] = media
				}
			}
		}
	}
}
