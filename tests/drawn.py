"""Figures drawn for tests, from sources whose tables are made up, and the texts in them."""

from pathlib import Path

from matplotlib.text import Text

from gmvae.bench.report.drawing.source import Source


def source_of(runs, curves, like=None):
    """A source with these tables, and with the files of single runs of another source."""
    nowhere = Path("nowhere")
    source = Source(nowhere, nowhere) if like is None else Source(nowhere, like.results, like.data)
    vars(source).update(runs=runs, curves=curves)
    return source


def drawn(module, source):
    """The figure of a module, with its table if it has one."""
    tables = [module.table(source)] if hasattr(module, "table") else []
    return module.draw(source, *tables)


def drawn_texts(figure):
    """All texts of a figure but the labels of ticks beyond the ends of an axis."""
    texts = [text for text in figure.findobj(Text) if text.get_text() and text.get_visible()]
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            ticks = {*axis.get_major_ticks(), *axis.get_minor_ticks()} - {*axis._update_ticks()}
            hidden = {label for tick in ticks for label in (tick.label1, tick.label2)}
            texts = [text for text in texts if text not in hidden]
    return texts
