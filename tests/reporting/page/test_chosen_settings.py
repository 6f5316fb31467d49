"""What the searches of claims chose stands beside what they searched over."""

from reporting.page.made_up import claim_c, digest, found, gathered

from seqlab.reporting.page.chosen_settings import chosen_settings

SEARCH = {"trainings": 8, "epochs": 41, "seconds": 1234.5}


def test_a_row_per_search_and_a_column_per_setting(tmp_path):
    content = claim_c()
    rates = {"optimizer.lr": "interval(0,1)"}
    content["groups"][1]["search"] = SEARCH | {"chosen": ["optimizer.lr=0.0098720", "act=relu"], "space": rates}
    content["groups"][2]["search"] = SEARCH | {"chosen": ["optimizer.lr=0.002", "model.layers=2"], "space": rates}
    (table,) = chosen_settings(gathered(tmp_path, content))
    assert table.heads[1:] == [("optimizer.lr", "interval(0,1)"), ("act", ""), ("model.layers", "")]
    assert sorted([cell.text for cell in row] for row in table.rows) == [
        [content["groups"][2]["label"], "0.002", "fixed", "2"],
        [content["groups"][1]["label"], "0.00987", "relu", "fixed"],
    ]
    assert sorted(row[1].value for row in table.rows) == [0.002, 0.009872]
    assert "Searched: `optimizer.lr` in `interval(0,1)`." in table.note


def test_whole_numbers_keep_their_digits_and_runs_of_the_user_are_no_searches_of_claims(tmp_path):
    content = claim_c()
    content["groups"][1]["search"] = SEARCH | {"chosen": ["model.width=1024"]}
    (table,) = chosen_settings(found(tmp_path, [digest()], content))
    assert [[cell.text for cell in row] for row in table.rows] == [[content["groups"][1]["label"], "1024"]]


def test_without_searches_there_is_no_table(tmp_path):
    assert chosen_settings(gathered(tmp_path, claim_c())) == [] == chosen_settings(found(tmp_path / "own", [digest()]))
