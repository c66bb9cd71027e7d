"""The management plane's manners: the shape of Azure Resource Manager's calls, answers and errors."""
