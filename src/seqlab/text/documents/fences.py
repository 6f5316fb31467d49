"""Writes code as Markdown's fenced blocks, which cleaning recognises whatever format the code came from."""


def fenced(code: str, language: str = "") -> str:
    """`code` between fences longer than any in it."""
    fence = "```"
    while fence in code:
        fence += "`"
    code = code.strip("\n")
    return f"{fence}{language}\n{code}\n{fence}\n"
