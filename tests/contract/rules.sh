#!/bin/sh
# The contract's rules and the tests that hold them, as a page: tests/contract/rules.md.
#
#     sh tests/contract/rules.sh            prints the page
#     sh tests/contract/rules.sh --all      prints every test of every rule, one a line
#     sh tests/contract/rules.sh --write    writes the page
#     sh tests/contract/rules.sh --check    fails if the page is another, or a rule has no test
#
# A test names its rules: a request file in its "rule", a case of the conformance suite at the
# beginning of its name, a function test_E1_E2_... in C or Python in its own name (the fields of
# section D as test_D_external_id_..., or test_D_... for all six).
set -eu
cd "$(dirname "$0")/../.."
LC_ALL=C # for one order of sorting everywhere
export LC_ALL
page=tests/contract/rules.md

# RULE|WHAT IT SAYS, and for what this version does not implement |later
rules() {
    cat <<'RULES'
A1|Checks run in order: key, chatbot and scope, size, body, storage; the first that fails decides
A2|All or nothing
A3|Every outcome has a JSON body; a 400 about entries lists up to 100 faulty fields with their places
A4|200 is a message and the contacts
A5|No key and no word of the storage engine reaches a response; keys reach no log
A6|Dry run: every check, the same answer, nothing written
A7|An answer is bounded; past the bound nothing is stored
B1|`Authorization: Bearer oc_<env>_<random>`, or 401
B2|Only the SHA-256 of a key is stored or compared
B3|A key's workspace and chatbot limit it; anything outside is 404
B4|A host's trusted principal instead of a header, with the same scope
C1|Strict RFC 8259 JSON in UTF-8: an object
C2|The array is `users`, or `contacts`; 1 to 1000 entries
C3|Wrong types are 400 with issues
C4|Unknown fields are ignored; of a repeated name the last counts
C5|Every Unicode character but U+0000; no unpaired surrogates
C6|Numbers keep their exact value
C7|Limits on nesting, entry and body
D external_id|1 to 255 characters, compared byte by byte, made if omitted or null
D name|Omitted is kept, null clears
D email|Omitted is kept, null clears; stored as sent
D phonenumber|Omitted is kept, null clears; stored as sent
D stripe_accounts|Omitted is kept, null resets to `[]`, a value replaces
D custom_attributes|Omitted is kept, null resets to `{}`, a value replaces
D2|Merging of `custom_attributes`: members are set, removed by null, or kept
D3|Merging may not grow a contact past the limit of an entry
E1|Entries act one by one, in order; one contact per external_id
E2|One contact per entry in `data`, in its final state
E3|A contact's nine members, in order; ids unique and never reused
E4|An update uses up no id
E5|What changes nothing writes nothing
E6|Created, updated or unchanged, per entry
E7|Concurrent requests never fail and end as some serial order would
E8|What was answered 200 survives a crash
E9|Retries make no duplicates; idempotency keys
E10|A uniqueness rule of the host's own is 409
E11|Unreachable or busy is 503, the unexpected 500
F1 to F7|Attribute definitions|later
RULES
}

# Lines of "rule|kind|test", for every test there is.
tests() {
    for file in tests/requests/*.json; do
        sed -n 's/^  "rule": "\(.*\)",$/\1/p' "$file" |
            sed "s#\$#|request files|$(basename "$file" .json)#"
    done
    sed -n 's/^ *{"\([A-E][0-9a-z_ ]*\): \(.*\)", case_.*$/\1|conformance|\2/p' \
        tests/conformance/conformance.c
    {
        find tests -name '*.c' -exec \
            sed -n 's/^static [a-z]* \(test_[A-E][A-Za-z0-9_]*\)(.*/\1/p' {} +
        find tests -name '*.py' -exec \
            sed -n 's/^ *def \(test_[A-E][A-Za-z0-9_]*\)(.*/\1/p' {} +
    } | awk '
        {
            rest = substr($0, 6)
            while (match(rest, /^[A-E][0-9]+(_|$)/)) {
                print substr(rest, 1, RLENGTH - (rest ~ /^[A-E][0-9]+_/)) "|functions|" $0
                rest = substr(rest, RLENGTH + 1)
            }
            if (rest !~ /^D_/)
                next
            count = split("external_id name email phonenumber stripe_accounts custom_attributes",
                          fields, " ")
            named = 0
            for (i = 1; i <= count; i++)
                if (index(rest, "D_" fields[i]) == 1) {
                    print "D " fields[i] "|functions|" $0
                    named = 1
                }
            for (i = 1; i <= count && !named; i++)
                print "D " fields[i] "|functions|" $0
        }'
}

# One row a rule: the first tests of each kind, and whether there are more; not how many, which would
# change the page with every test.
table() {
    echo '| rule | what it says | tests |'
    echo '|---|---|---|'
    { rules | sed 's/^/rule|/'; tests | sort -u | sed 's/^/test|/'; } | awk -F '|' '
        $1 == "rule" { order[++rules] = $2; text[$2] = $3; is_later[$2] = $4 == "later"; next }
        {
            key = $2 SUBSEP $3
            count[key]++
            if (count[key] <= 2)
                names[key] = names[key] (count[key] > 1 ? ", " : "") quoted($3, $4)
        }
        function quoted(kind, name) { return kind == "conformance" ? "“" name "”" : "`" name "`" }
        END {
            split("request files|conformance|functions", kinds, "|")
            for (r = 1; r <= rules; r++) {
                cell = is_later[order[r]] ? "not implemented yet" : ""
                for (k = 1; k <= 3; k++) {
                    key = order[r] SUBSEP kinds[k]
                    if (!count[key])
                        continue
                    cell = cell (cell == "" ? "" : "; ") names[key]
                    if (count[key] > 2)
                        cell = cell " and more"
                }
                print "| " order[r] " | " text[order[r]] " | " (cell == "" ? "NONE" : cell) " |"
            }
        }'
}

page() {
    cat <<'HEAD'
# The rules, and the tests that hold them

[`contract.md`](contract.md) has the rules in full. `sh tests/contract/rules.sh --write` writes this page;
`sh tests/contract/rules.sh --all` prints every test of every rule. A name in quotation marks is a case of
[`tests/conformance`](../conformance), one with a hyphen after the rule a file of
[`tests/requests`](../requests), and one that begins with `test_` a function in C or Python.

HEAD
    table
}

check() {
    status=0
    missing=$(table | grep '| NONE |$' || true)
    if [ -n "$missing" ]; then
        printf 'rules without a test:\n%s\n' "$missing" >&2
        status=1
    fi
    done=$(table | grep '| not implemented yet; ' || true)
    if [ -n "$done" ]; then
        printf 'rules with tests that are still marked as later:\n%s\n' "$done" >&2
        status=1
    fi
    unknown=$(tests | cut -d '|' -f 1 | sort -u | grep -vxF "$(rules | cut -d '|' -f 1)" || true)
    if [ -n "$unknown" ]; then
        printf 'tests name rules that there are not:\n%s\n' "$unknown" >&2
        status=1
    fi
    if ! page | cmp -s - "$page"; then
        echo "$page is not this; run tests/contract/rules.sh --write" >&2
        status=1
    fi
    return "$status"
}

case ${1:-} in
'') page ;;
--all) tests | sort -u ;;
--write) page >"$page" ;;
--check) check ;;
*)
    sed -n '2,11p' "$0" >&2
    exit 2
    ;;
esac
