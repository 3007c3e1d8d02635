/* The style sheet of a page. */
#include <stdio.h>

#include "report/page.h"

static const char layout[] =
    "*{box-sizing:border-box}\n"
    "html{-webkit-text-size-adjust:100%;scroll-padding-top:1rem}\n"
    "body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,"
    "'Helvetica Neue',Arial,'DejaVu Sans',sans-serif}\n"
    "header,main,footer{max-width:1360px;margin:0 auto;padding:0 clamp(.75rem,2.5vw,2rem)}\n"
    "header{padding-top:1.75rem}\n"
    "h1{font-size:clamp(1.4rem,1.1rem + 1.4vw,2.1rem);line-height:1.2;margin:0 0 .75rem;overflow-wrap:anywhere}\n"
    "h2{font-size:1.4rem;line-height:1.25;margin:2.75rem 0 .75rem;padding-bottom:.3rem;border-bottom:1px solid "
    "var(--grid);overflow-wrap:anywhere}\n"
    "h3{font-size:1.15rem;margin:2rem 0 .5rem;overflow-wrap:anywhere}\n"
    "p{margin:.6rem 0;max-width:75ch;overflow-wrap:anywhere}\n"
    "a{color:var(--blue)}\n"
    "nav{margin:1.25rem 0 0}\n"
    "nav ul{display:flex;flex-wrap:wrap;gap:.35rem .5rem;margin:0;padding:0;list-style:none}\n"
    "nav a{display:block;padding:.2rem .7rem;border:1px solid var(--grid);border-radius:1rem;text-decoration:none;"
    "font-size:.9rem;color:var(--ink)}\n"
    "nav a:hover,nav a:focus-visible{border-color:var(--blue);color:var(--blue)}\n"
    "dl{display:grid;grid-template-columns:minmax(7rem,max-content) minmax(0,1fr);gap:.25rem 1.25rem;margin:.75rem 0}\n"
    "dt{color:var(--muted)}\n"
    "dd{margin:0;overflow-wrap:anywhere}\n"
    "@media(max-width:520px){dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:.5rem}}\n"
    ".verdict{display:flex;gap:.75rem;align-items:baseline;margin:1rem 0;padding:.7rem 1rem;border:1px solid;"
    "border-left-width:.4rem;border-radius:.4rem;overflow-wrap:anywhere}\n"
    ".verdict b{letter-spacing:.04em;flex:none}\n"
    ".passed{border-color:var(--green)}\n"
    ".failed{border-color:var(--crimson)}\n"
    ".failed b{color:var(--crimson)}\n";

static const char figures[] =
    ".plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,34rem),1fr));gap:1.25rem;margin:1rem 0;"
    "align-items:start}\n"
    ".plots>figure:only-child{max-width:56rem}\n"
    "@media(min-width:1150px){.plots.three{grid-template-columns:repeat(3,minmax(0,1fr))}}\n"
    "figure{margin:0;padding:.9rem 1rem;border:1px solid var(--grid);border-radius:.6rem;min-width:0;"
    "container-type:inline-size}\n"
    "figure>h4{font-size:1rem;margin:0 0 .4rem;overflow-wrap:anywhere}\n"
    "figure svg{display:block;width:100%;height:auto;color:var(--ink)}\n"
    "figure svg text{font-family:inherit;fill:inherit}\n"
    ".narrow{display:none}\n"
    "@container(max-width:520px){.wide{display:none}.narrow{display:block}}\n"
    "@media(max-width:520px){figure{padding:.7rem .5rem}figure>h4,figure>ul,figcaption{padding:0 .25rem}}\n"
    ".legend{display:flex;flex-wrap:wrap;gap:.15rem 1rem;margin:.5rem 0 "
    "0;padding:0;list-style:none;font-size:.875rem}\n"
    ".legend li{display:flex;align-items:center;gap:.4rem;min-width:0;overflow-wrap:anywhere}\n"
    ".legend svg{flex:none;width:24px;height:12px}\n"
    "figcaption{margin-top:.5rem;font-size:.875rem;color:var(--muted);overflow-wrap:anywhere}\n"
    ".tables{display:flex;flex-wrap:wrap;gap:1.25rem 2rem;margin:1rem 0;align-items:flex-start}\n"
    ".get{white-space:nowrap}\n"
    ".scroll{overflow-x:auto;max-width:100%}\n"
    ".scroll:focus-visible,a:focus-visible,summary:focus-visible{outline:2px solid var(--blue);outline-offset:2px}\n"
    "table{border-collapse:collapse;width:max-content;font-size:.9rem;font-variant-numeric:tabular-nums}\n"
    "caption{text-align:left;font-weight:600;padding-bottom:.35rem}\n"
    "th,td{padding:.28rem .55rem;max-width:28rem;text-align:left;border-bottom:1px solid "
    "var(--grid);vertical-align:top}\n"
    "th[scope=row]{font-weight:400}\n"
    "thead th{vertical-align:bottom;border-bottom:2px solid var(--muted)}\n"
    ".number{text-align:right;white-space:nowrap}\n"
    ".unit{color:var(--muted);font-weight:400;white-space:nowrap}\n"
    ".rule>*{border-top:2px solid var(--muted)}\n"
    "details{margin:1rem 0;border:1px solid var(--grid);border-radius:.6rem;padding:.5rem 1rem}\n"
    "summary{cursor:pointer;font-weight:600}\n"
    "pre{overflow-x:auto;font:.8125rem/1.45 ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace}\n"
    "footer{margin-top:3rem;padding-bottom:2.5rem;color:var(--muted);font-size:.85rem}\n"
    ".sprite{position:absolute;width:0;height:0}\n"
    "@media "
    "print{html{font-size:9.5pt}body{font-size:1rem}nav,.get{display:none}header,main,footer{max-width:none;padding:0}"
    ".plots{grid-template-columns:1fr 1fr;gap:.6rem}figure,tr,.verdict{break-inside:avoid}h2,h3,caption{break-after:"
    "avoid}.scroll{overflow:visible}th,td{padding:.1rem .35rem}}\n";

static void put_colours(FILE *out, enum theme theme)
{
    for (int c = 0; c < N_COLOURS; c++) {
        enum colour on = colour_of_text_on((enum colour)c, theme);
        fprintf(out, "--%s:#%06x;--on-%s:#%06x;", colour_name((enum colour)c), colour_value((enum colour)c, theme),
                colour_name((enum colour)c), colour_value(on, theme));
    }
}

/* Paper is white, whatever the screen is. */
void page_write_style(FILE *out)
{
    fputs("<style>\n:root{color-scheme:light dark;", out);
    put_colours(out, THEME_LIGHT);
    fputs("}\n@media screen and (prefers-color-scheme:dark){:root{", out);
    put_colours(out, THEME_DARK);
    fputs("}}\n", out);
    fputs(layout, out);
    fputs(figures, out);
    fputs("</style>\n", out);
}
