package page_test

import (
	"errors"
	"os/exec"
	"testing"

	"marcador/internal/schematest"
	"marcador/store"
	"marcador/test/testkit"
)

// The browser client follows a board whichever way its id is spelled: in the service's normal form,
// or decomposed as only an older database has it.
func TestClient_olderBoard(t *testing.T) {
	t.Parallel()
	const decomposed, composed = "Jose\u0301", "Jos\u00e9"
	for _, spelling := range []string{decomposed, composed} {
		db := testkit.Database(t)
		s, err := store.Open(t.Context(), db, store.Options{Schema: schematest.Text(t)})
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.PutProfiles(t.Context(), []store.Profile{{ID: "ana", Username: "Ana", Groups: map[string][]string{"school": {spelling}}}})
		if err := errors.Join(err, s.Close()); err != nil {
			t.Fatal(err)
		}
		p := testkit.ServeOn(t, testkit.AnyPort, db)
		node := exec.CommandContext(t.Context(), "node", "--input-type=module", "-e", `
			import { connect } from "./static/marcador.js";
			const [baseUrl, token, board] = process.argv.slice(1);
			const followed = connect({ baseUrl, board, getToken: async () => token });
			followed.subscribe(() => {
				const { status, version, totalEntries, error } = followed.getSnapshot();
				if (error === null && (status !== "live" || version === null)) return;
				console.log(status, totalEntries, error?.message ?? "");
				process.exit();
			});`, "--", p.URL, testkit.Token(t, "ana", ""), "school:"+decomposed)
		node.Dir = testkit.Path("")
		if out, err := node.CombinedOutput(); err != nil || string(out) != "live 1 \n" {
			t.Errorf("a board spelled %+q: %v, %s", spelling, err, out)
		}
	}
}
