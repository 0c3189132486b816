"""What a rendered study has produced, as tables, figures and one page. OVITO reads its frames."""
