"""Code inside text, in the form in which cleaning knows it again: Markdown's fences."""


def fenced(code: str, language: str = "") -> str:
    """`code` between fences longer than any in it."""
    fence = "```"
    while fence in code:
        fence += "`"
    code = code.strip("\n")
    return f"{fence}{language}\n{code}\n{fence}\n"
