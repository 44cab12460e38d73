"""The command line, one verb for each question.

``theory derive | laws | prove | replay | search | design | flow | network | complete | margins |
sweep | check``

Exit codes: 0 answered, 1 refuted or failed, 2 bad input.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import click
from rich.console import Console

from theory.errors import TheoryError

__all__ = ["main"]

_ASSUME = click.option(
    "--assume", multiple=True, metavar="TEXT", help='"L > 2", "L (2, oo)", "x real"; repeatable.'
)
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
_START = click.option("--start", required=True, metavar="TEXT", help='"u=alpha, v=alpha"')
_RATES = click.option("--rates", metavar="TEXT", help='Learning rates, "u=1, v=2".')


class _Group(click.Group):
    """A group that turns errors on purpose into one line and exit code 2."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except TheoryError as error:
            _fail(str(error))
        except (click.exceptions.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except (RecursionError, MemoryError) as error:
            _fail(f"The input is too large or too deeply nested ({type(error).__name__}).")
        except BrokenPipeError:
            # the reader of the output, such as head, has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(0)
        except Exception as error:
            if os.environ.get("THEORY_TRACEBACK"):
                raise
            _fail(
                f"unexpected {type(error).__name__}: {error} "
                "(THEORY_TRACEBACK=1 shows where; please report it)"
            )


def _fail(message: str) -> NoReturn:
    click.echo(f"error: {' '.join(message.split())}", err=True)
    raise SystemExit(2)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="implicit-bias-theory", prog_name="theory")
def main() -> None:
    """Derive, prove and test the implicit bias of gradient flow."""


def _console() -> Console:
    return Console(highlight=False, emoji=False)


def _emit(data: dict[str, Any]) -> None:
    click.echo(json.dumps(data, ensure_ascii=False, default=str, allow_nan=True))


def _write(path: str, text: str) -> None:
    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"Cannot write {path}: {error.strerror or error}.") from error
    click.echo(f"wrote {path}", err=True)


@main.command()
@click.argument("formula")
@_START
@_ASSUME
@_RATES
@click.option("--latex", type=click.Path(dir_okay=False), help="Also write a LaTeX file.")
@click.option("--markdown", is_flag=True, help="Print Markdown.")
@_JSON
def derive(
    formula: str,
    start: str,
    assume: tuple[str, ...],
    rates: str | None,
    latex: str | None,
    markdown: bool,
    as_json: bool,
) -> None:
    """Derive laws, potential, divergence and limits of x = FORMULA."""
    from theory.cli_input import read_flow
    from theory.flow.gradient_flow import FlowModel
    from theory.mirror.mirror_flow import mirror_flow
    from theory.show.derivation import derive as steps
    from theory.show.patience import patience
    from theory.show.text import print_derivation

    rho, values = read_flow(formula, start, assume, rates)
    with patience("deriving"):
        derivation = steps(mirror_flow(rho, values), FlowModel(rho))
    if latex is not None:
        _write(latex, derivation.to_latex(document=True))
    if as_json:
        _emit(derivation.to_dict())
    elif markdown:
        click.echo(derivation.to_markdown())
    else:
        print_derivation(derivation, _console())


@main.command()
@click.argument("formulas", nargs=-1, metavar="[FORMULA]...")
@click.option("--parameters", metavar="NAMES", help="All names of the formulas unless given.")
@click.option("--network", metavar="SPEC", help='"linear:5,3,2", "relu:9,7,2", "linear:n,r,m"')
@click.option("--bias", is_flag=True, help="Hidden units of a ReLU network have biases.")
@click.option("--degree", type=int, help="Highest degree of the laws; 2 unless given.")
@click.option("--ansatz", metavar="TEXT", help='"polynomial", "laurent-log" or "u**2, log(v)".')
@click.option("--momentum", metavar="FRICTION", help='0, 1/2, "3/t": laws with momentum.')
@click.option("--weight-decay", metavar="NUMBER", help="Laws of the flow with weight decay.")
@click.option(
    "--certificate",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Also write what replay checks.",
)
@_ASSUME
@_RATES
@_JSON
def laws(as_json: bool, certificate: str | None, **question: Any) -> None:
    """Conservation laws of x = FORMULA..., or of a network, and how many there are.

    Several formulas share their parameters. Networks are linear, relu, hadamard, factorization,
    symmetric, nmf, icnn, attention, circular-convolution, linear-convolution, softmax, tanh and
    weight-normalization, with their sizes after a colon; names as sizes give the laws of matrices
    for all sizes.
    """
    from theory.cli_laws import find_laws, report_laws, save_laws
    from theory.show.patience import patience

    if not question["formulas"] and question["network"] is None:
        raise click.UsageError("Expected formulas, or --network.")
    with patience("searching laws"):
        result = find_laws(certificate=certificate, **question)
    record = result.pop("record", None)
    if certificate is not None:
        save_laws(record, certificate)
        click.echo(f"wrote {certificate}", err=True)
    if as_json:
        _emit(result)
    else:
        report_laws(result, _console())


_ASKS = (
    "conserved", "mirror_potential", "legendre", "convex", "monotone", "limit", "integral",
    "limit_point", "decreases", "passes", "drift",
)  # fmt: skip


@main.command()
@click.argument("statement", required=False)
@_ASSUME
@click.option("--domain", metavar="TEXT", help='"(x > -1) & (x < 1)"')
@click.option("--file", "path", type=click.Path(dir_okay=False), help="TOML with [[conjecture]].")
@click.option(
    "--certificate",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Also write the steps that replay checks.",
)
@click.option("--ask", type=click.Choice(_ASKS), help="Another question than the relation.")
@click.option("--on", metavar="TEXT", help='Interval or linear relations, "x > 0 & y > 0".')
@click.option("--flow", metavar="FORMULA", help='x as a formula, "u**2 - v**2".')
@click.option("--parameters", metavar="NAMES", help="Of the flow; all its names unless given.")
@click.option("--start", metavar="TEXT", help='"u=alpha, v=alpha"')
@_RATES
@click.option("--variable", metavar="NAME", help="Of a limit or an integral.")
@click.option("--from", "lower", metavar="A", help="Lower end of an integral.")
@click.option("--to", metavar="B", help="Where a variable tends to; upper end of an integral.")
@click.option("--dir", "direction", type=click.Choice(["+", "-", "+-"]), help="Side of a limit.")
@click.option("--value", metavar="TEXT", help="The claimed limit or integral.")
@click.option("--data", type=click.Path(dir_okay=False), help="CSV with a header.")
@click.option("--target", metavar="NAME", help="Target column; the last one unless given.")
@click.option("--loss", metavar="NAME", help="squared unless given.")
@click.option("--link", metavar="NAME", help="identity unless given.")
@click.option("--set", "constants", metavar="TEXT", help='Constants of the flow, "L=3".')
@click.option("--t", "end", metavar="TIME", help="The time that is asked about.")
@click.option("--bound", metavar="NUMBER", help="Of a drift.")
@click.option("--tolerance", metavar="NUMBER", help="Of a limit point.")
@_JSON
def prove(
    statement: str | None,
    assume: tuple[str, ...],
    domain: str | None,
    path: str | None,
    certificate: str | None,
    ask: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Prove or refute STATEMENT: a formula that is zero, or "A == B", "A >= B", ...

    With --file the conjectures of a TOML file, each with the hypotheses that rescue it. With --ask
    another question about STATEMENT: a law (conserved, decreases, drift), a potential, a function
    (convex, monotone, limit, integral), a point "1/2, 1/2" (limit_point), or a box
    "x[0] in (0, 1)" (passes).
    """
    from theory.claims.prove import prove as decide
    from theory.cli_input import read_assumptions
    from theory.show.patience import patience
    from theory.show.text import print_verdict

    given = any(value is not None for value in options.values())
    if certificate is not None and path is not None:
        raise click.UsageError("--certificate belongs to a STATEMENT, not to --file.")
    if path is not None:
        if statement is not None or ask is not None:
            raise click.UsageError("Expected a STATEMENT, or --file with conjectures.")
        if assume or domain is not None or given:
            raise click.UsageError("--assume, --domain, ... belong to a STATEMENT, not to --file.")
        _prove_file(path, as_json)
        return
    if ask is None:
        if statement is None:
            raise click.UsageError("Expected a STATEMENT, or --file with conjectures.")
        if given:
            raise click.UsageError("Expected --ask with the question that the options belong to.")
        with patience("proving"):
            verdict = decide(statement, assume=read_assumptions(assume), domain=domain)
    else:
        from theory.cli_prove import answer

        options |= {"statement": statement, "assume": assume, "domain": domain}
        with patience("proving"):
            verdict = answer(ask, options)
    if certificate is not None:
        from theory.claims.certificate import certificate as certify

        with patience("certifying"):
            record = certify(verdict)
        _write(certificate, json.dumps(record, indent=1) + "\n")
    if as_json:
        asked = {} if ask is None else {"question": ask}
        _emit({"statement": statement, **asked, **_verdict(verdict)})
    else:
        print_verdict(verdict, _console())
    sys.exit(1 if verdict.refuted else 0)


def _claimed(claim: Mapping[str, Any]) -> tuple[str, dict[str, str], str]:
    """What a claim says, its assumptions and domain; the data when no statement says it."""
    from theory.claims.claim import claim_of, claim_text, question_text
    from theory.claims.replay import digest

    if "ask" in claim:
        return question_text(claim)
    statement, assume, domain = claim_text(claim)
    try:
        same = digest(claim_of(statement, assume, domain or None)) == digest(claim)
    except TheoryError:
        same = False
    return (statement, assume, domain) if same else (json.dumps(claim), {}, "")


@main.command()
@click.argument("path", metavar="FILE", type=click.Path(exists=True, dir_okay=False))
@_JSON
def replay(path: str, as_json: bool) -> None:
    """Check the certificate in FILE, as prove or laws --certificate writes it, on its own."""
    from theory.claims.replay import Rejected, conditions_of, parsed
    from theory.claims.replay import replay as check
    from theory.cli_laws import is_law_file

    try:
        record = parsed(Path(path).read_text(encoding="utf-8"))
        if is_law_file(record):
            _replay_laws(record, as_json)
            return
        verdict = check(record)
    except (Rejected, ValueError) as error:
        if as_json:
            _emit({"accepted": False, "reason": str(error)})
        else:
            click.echo(f"REJECTED: {error}")
        sys.exit(1)
    statement, assume, domain = _claimed(record["claim"])
    conditions = list(conditions_of(record))
    if as_json:
        data = {"accepted": True, "verdict": verdict, "conditions": conditions}
        _emit({**data, "statement": statement, "assume": assume, "domain": domain})
        return
    where = ", ".join(f"{name} {words}" for name, words in assume.items())
    click.echo(f"{verdict}, replayed: {statement}" + (f"  ({where})" if where else ""))
    if domain:
        click.echo(f"where {domain}")
    for condition in conditions:
        click.echo(f"provided that {condition}")


def _replay_laws(record: Mapping[str, Any], as_json: bool) -> None:
    from theory.cli_laws import replay_file, report_laws

    result = replay_file(record)
    if as_json:
        _emit(result)
        return
    click.echo("replayed")
    report_laws(result, _console())


@main.command()
@click.argument("statement", required=False)
@_ASSUME
@click.option("--domain", metavar="TEXT", help='"(x > -1) & (x < 1)"')
@click.option("--file", "path", type=click.Path(dir_okay=False), help="TOML with [[conjecture]].")
@click.option("--examples", default=1000, show_default=True, help="Points to draw.")
@click.option("--seed", default=0, show_default=True)
@click.option("--seconds", default=20.0, show_default=True, help="CPU time for each conjecture.")
@_JSON
def search(
    statement: str | None,
    assume: tuple[str, ...],
    domain: str | None,
    path: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Look for a counterexample to STATEMENT, or to the conjectures of a file.

    What is found is simple and verified exactly (exit code 1); that nothing is found proves
    nothing.
    """
    from theory.claims.conjecture import Conjecture, read_conjectures
    from theory.claims.search import search as look
    from theory.cli_input import read_assumptions
    from theory.show.patience import patience
    from theory.show.text import print_table, print_verdict

    if (statement is None) == (path is None):
        raise click.UsageError("Expected a STATEMENT, or --file with conjectures.")
    if path is not None:
        if assume or domain is not None:
            raise click.UsageError("--assume and --domain belong to a STATEMENT, not to --file.")
        rows = []
        with patience("searching"):
            for c in read_conjectures(path):
                try:
                    rows.append((c, look(c, **options)))
                except TheoryError as error:
                    _fail(f"conjecture {c.name!r}: {error}")
        refuted = sum(verdict.refuted for _, verdict in rows)
        if as_json:
            found = [{"name": c.name, "statement": c.statement, **_verdict(v)} for c, v in rows]
            _emit({"conjectures": found, "refuted": refuted})
        else:
            title = f"{len(rows)} conjectures, {refuted} refuted"
            print_table(title, ("name", "verdict"), [(c.name, str(v)) for c, v in rows], _console())
        sys.exit(1 if refuted else 0)
    conjecture = Conjecture("statement", statement or "", read_assumptions(assume), domain or "")
    with patience("searching"):
        verdict = look(conjecture, **options)
    if as_json:
        _emit({"statement": statement, **_verdict(verdict), **verdict.record})
    else:
        print_verdict(verdict, _console())
    sys.exit(1 if verdict.refuted else 0)


def _verdict(verdict: Any) -> dict[str, Any]:
    return {
        "status": str(verdict.status),
        "method": verdict.method,
        "conditions": list(verdict.conditions),
        "witness": verdict.witness,
        "digits": verdict.digits,
    }


def _prove_file(path: str, as_json: bool) -> None:
    from theory.claims.conjecture import read_conjectures
    from theory.show.patience import patience
    from theory.show.text import print_table

    rows = []
    with patience("proving"):
        for c in read_conjectures(path):
            try:
                rows.append((c, c.decide(), c.rescue()))
            except TheoryError as error:
                _fail(f"conjecture {c.name!r}: {error}")
    refuted = sum(verdict.refuted for _, verdict, _ in rows)
    if as_json:
        found = [
            {
                "name": c.name,
                "question": c.question,
                "statement": c.statement,
                "source": c.source,
                **_verdict(verdict),
                "rescue": [{"hypothesis": h, **_verdict(v)} for h, v in rescue],
            }
            for c, verdict, rescue in rows
        ]
        _emit({"conjectures": found, "refuted": refuted})
    else:
        print_table(
            f"{len(rows)} conjectures, {refuted} refuted",
            ("name", "verdict", "rescue"),
            [(c.name, str(verdict), _rescue_text(rescue)) for c, verdict, rescue in rows],
            _console(),
        )
    sys.exit(1 if refuted else 0)


def _rescue_text(rescue: Any) -> str:
    return "; ".join(
        f"{h} (provided that {', '.join(v.conditions)})" if v.conditions else h for h, v in rescue
    )


@main.command()
@click.argument("potential")
@click.option("--on", "interval", default="-oo, oo", metavar="A, B", help="Open interval of x.")
@click.option("--hessian", is_flag=True, help="POTENTIAL is the second derivative.")
@_JSON
def design(potential: str, interval: str, hessian: bool, as_json: bool) -> None:
    """Find a parametrization that induces POTENTIAL."""
    from theory.mirror.design import design as find
    from theory.show.patience import patience

    with patience("designing"):
        found = find(potential, on=interval, given="hessian" if hessian else "potential")
    if as_json:
        _emit(
            {
                "formula": None if found.formula is None else str(found.formula),
                "parameters": [s.name for s in found.parameters],
                "kind": found.kind,
                "start": [str(v) for v in found.start],
                "parametric": {"theta": str(found.parametric[0]), "x": str(found.parametric[1])},
                "certificates": [str(c) for c in found.certificates],
            }
        )
        return
    click.echo(str(found))
    for certificate in found.certificates:
        click.echo(f"   {certificate}")


@main.command()
@click.argument("formula")
@_START
@click.option("--data", required=True, type=click.Path(dir_okay=False), help="CSV with a header.")
@click.option("--target", metavar="NAME", help="Target column; the last one unless given.")
@click.option(
    "--products", type=int, metavar="DEGREE", help="All products of columns, standardized."
)
@click.option("--loss", default="squared", show_default=True, metavar="NAME")
@click.option("--link", default="identity", show_default=True, metavar="NAME")
@click.option("--t", "end", type=float, help="End of the time span; until interpolation otherwise.")
@click.option(
    "--method", default="LSODA", show_default=True, help="SciPy's name of the solver, or Taylor."
)
@click.option("--seconds", default=60.0, show_default=True, help="Budget of the integration.")
@click.option("--set", "constants", metavar="TEXT", help='Constants of the formula, "L=3".')
@_ASSUME
@_RATES
@_JSON
def flow(as_json: bool, **options: Any) -> None:
    """Integrate the flow on data and compare its end with the limit point."""
    from theory.cli_flow import report, run_flow
    from theory.show.patience import patience

    with patience("integrating"):
        result = run_flow(**options)
    if as_json:
        _emit(result)
    else:
        report(result, _console())
    sys.exit(0 if result["success"] else 1)


@main.command()
@click.argument("config", type=click.Path(dir_okay=False))
@click.option("--engine", metavar="NAME", help="serial, loky, or a Dask scheduler's tcp://...")
@click.option("--workers", type=int)
@click.option("--retry-failed", is_flag=True, help="Try points again that have failed.")
@click.option("--csv", type=click.Path(dir_okay=False), help="Write the table.")
@click.option("--parquet", type=click.Path(dir_okay=False), help="Write the table.")
@click.option("--plot", type=click.Path(dir_okay=False), help="Draw a result over an axis.")
@click.option("--x", metavar="NAME", help="The axis to draw over.")
@click.option("--y", metavar="NAME", default="error", show_default=True, help="What to draw.")
@_JSON
def sweep(
    config: str,
    engine: str | None,
    workers: int | None,
    retry_failed: bool,
    csv: str | None,
    parquet: str | None,
    plot: str | None,
    x: str | None,
    y: str,
    as_json: bool,
) -> None:
    """Run the flow of CONFIG over its grid; a second call goes on where the first one ended."""
    from theory.cli_sweep import read_config, run_sweep
    from theory.show.text import print_table

    table = run_sweep(
        read_config(config),
        engine=engine,
        workers=workers,
        retry_failed=retry_failed,
        progress=not as_json and sys.stderr.isatty(),
    )
    if csv is not None:
        table.to_csv(csv)
    if parquet is not None:
        table.to_parquet(parquet)
    if plot is not None:
        from theory.show.sweep_plot import save_plot

        save_plot(plot, table, y, x)
    if as_json:
        _emit({"points": table.records(), "failed": len(table.failed)})
    else:
        records = table.records()
        names = list(dict.fromkeys(name for r in records for name in r))
        if "failed" not in table.status:
            names = [name for name in names if name not in ("status", "reason")]
        rows = [[_cell(r.get(name, "")) for name in names] for r in records]
        print_table(str(table), names, rows, _console())
    sys.exit(1 if table.failed else 0)


def _cell(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


@main.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.option(
    "--method",
    "methods",
    multiple=True,
    metavar="NAME",
    help="ratio (the default), deep, nuclear, soft-impute or bias; repeatable.",
)
@click.option("--ratings", is_flag=True, help="FILE has lines of user, item, rating.")
@click.option(
    "--densest",
    nargs=2,
    type=int,
    metavar="USERS ITEMS",
    help="The block of the most active users and the most rated items.",
)
@click.option(
    "--holdout",
    type=float,
    default=0.1,
    show_default=True,
    help="Share of the observed entries that is held out for the error; 0 for none.",
)
@click.option(
    "--center",
    default="none",
    show_default=True,
    help="What is taken off before: none, mean or effects.",
)
@click.option("--clip", nargs=2, type=float, metavar="LOW HIGH", help="Range of the entries.")
@click.option("--strength", type=float, help="Of the penalty, for one method.")
@click.option("--steps", type=int, help="Of the optimizer, for one method.")
@click.option("--depth", type=int, help="Of the method deep.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("-o", "--output", metavar="FILE", help="Write the first completion (.csv or .npy).")
@_JSON
def complete(
    file: str,
    methods: tuple[str, ...],
    ratings: bool,
    densest: tuple[int, int] | None,
    holdout: float,
    center: str,
    clip: tuple[float, float] | None,
    strength: float | None,
    steps: int | None,
    depth: int | None,
    seed: int,
    output: str | None,
    as_json: bool,
) -> None:
    """Fill in the missing entries of the matrix in FILE."""
    from theory.cli_matrices import report_completions, run_completions

    given = {"strength": strength, "steps": steps, "depth": depth}
    options = {name: value for name, value in given.items() if value is not None}
    if options and len(methods) > 1:
        raise click.UsageError(f"--{next(iter(options))} goes with one method only.")
    result = run_completions(
        file, methods, ratings=ratings, densest=densest or None, holdout=holdout, center=center,
        clip=clip or None, seed=seed, options=options, output=output,
        quiet=as_json or not sys.stderr.isatty(),
    )  # fmt: skip
    if as_json:
        _emit(result)
    else:
        report_completions(result, _console())
    sys.exit(0 if all(row["success"] for row in result["methods"]) else 1)


@main.command()
@click.argument("widths")
@click.option(
    "--target",
    type=click.Path(exists=True, dir_okay=False),
    help="The matrix in a file, with empty cells for entries that are not observed.",
)
@click.option("--sigma", metavar="VALUES", help='Instead: a diagonal target, "4,3,2,1".')
@click.option("--alpha", type=float, help="Start with entries alpha N(0, 1)/sqrt(w); 1e-2.")
@click.option("--gamma", type=float, help="Start with entries of variance w^-gamma.")
@click.option("--weight-decay", type=float, default=0.0, help="lambda of lambda |theta|^2.")
@click.option("--t", "end", type=float, help="End of the time span; until it is at rest.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--seconds", type=float, default=60.0, show_default=True, help="Time limit.")
@_JSON
def network(
    widths: str,
    target: str | None,
    sigma: str | None,
    alpha: float | None,
    gamma: float | None,
    weight_decay: float,
    end: float | None,
    seed: int,
    seconds: float,
    as_json: bool,
) -> None:
    """Integrate the linear network of WIDTHS, such as 5,10,10,5, and find its plateaus."""
    from theory.cli_matrices import report_network, run_network

    result = run_network(
        widths, target=target, values=sigma, alpha=alpha, gamma=gamma, seed=seed,
        weight_decay=weight_decay, end=end, seconds=seconds,
    )  # fmt: skip
    if as_json:
        _emit(result)
    else:
        report_network(result, _console())
    sys.exit(0 if result["success"] else 1)


@main.command()
@click.option(
    "--data",
    required=True,
    metavar="SOURCE",
    help='A CSV file whose last column has two labels, or "digits:2,7".',
)
@click.option(
    "--algorithms",
    default="gd,sign,coordinate,spectral",
    show_default=True,
    help="Of gd, sign, coordinate, spectral, l3 (any lp), adam, muon, shampoo.",
)
@click.option("--train", type=int, help="Samples of each class to train with; 50 for digits.")
@click.option(
    "--layers",
    default="50",
    show_default=True,
    help="Hidden widths such as 50 or 50,20; or linear; or diagonal:2.",
)
@click.option("--activation", default="relu", show_default=True, help='Or "max(z, 0)**2".')
@click.option("--scale", type=float, default=0.1, show_default=True, help="Of the start.")
@click.option(
    "--loss-step", type=float, default=0.1, show_default=True, help="Fall of log(loss) in a step."
)
@click.option(
    "--rate", type=float, default=1e-3, show_default=True, help="Of adam, muon and shampoo."
)
@click.option("--epsilon", type=float, default=1e-8, show_default=True, help="Of adam.")
@click.option("--steps", type=int, default=6000, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--at", type=float, help="Compare at this -log(loss); the largest common one.")
@click.option("--plot", metavar="FILE", help="Draw the margins (.png, .pdf, .svg).")
@_JSON
def margins(
    data: str,
    algorithms: str,
    train: int | None,
    layers: str,
    activation: str,
    scale: float,
    loss_step: float,
    rate: float,
    epsilon: float,
    steps: int,
    seed: int,
    at: float | None,
    plot: str | None,
    as_json: bool,
) -> None:
    """Train a homogeneous network by several algorithms, and compare its margins."""
    from theory.cli_margins import report_margins, run_margins

    if train is None and data.startswith("digits"):
        train = 50
    result = run_margins(
        data, algorithms, train=train, layers=layers, activation=activation, scale=scale,
        loss_step=loss_step, rate=rate, epsilon=epsilon, steps=steps, seed=seed, at=at, plot=plot,
    )  # fmt: skip
    if as_json:
        _emit(result)
    else:
        report_margins(result, _console())
    sys.exit(0 if all(row["success"] for row in result["runs"]) else 1)


@main.command()
@click.argument("prefix", default="")
@_JSON
def check(prefix: str, as_json: bool) -> None:
    """Check what papers state against what is derived; PREFIX picks files of proofs_checks."""
    from theory.cli_check import run_checks
    from theory.show.patience import patience
    from theory.show.text import print_table

    with patience("checking"):
        rows = run_checks(prefix)
    failed = [row for row in rows if not row["ok"]]
    if as_json:
        _emit({"statements": rows, "failed": len(failed)})
    else:
        print_table(
            f"{len(rows)} statements, {len(failed)} failed",
            ("paper", "statement", "source", "result"),
            [(r["paper"], r["name"], r["source"], r["result"]) for r in rows],
            _console(),
        )
    sys.exit(1 if failed else 0)
